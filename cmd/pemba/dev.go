package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/examples"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// devStore is the name of the store that dev makes.
const devStore = "demo"

func devCommand() *cli.Command {
	return &cli.Command{
		Name: "dev", Usage: "begin here: a server with an example, checks answered and explained",
		Description: "Everything is in a temporary folder and gone afterwards. With --schema your own schema takes the example's place:\n" +
			"its tests are run, the tuples of --tuples (or of tuples.txt beside it) are written, and some checks are asked.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "example", Value: "ptolemy", Usage: "the `NAME` of the example: " + strings.Join(examples.Names, ", ")},
			&cli.StringFlag{Name: "schema", Usage: "try the schema in `FILE` instead"},
			&cli.StringFlag{Name: "tuples", Usage: "with --schema: the tuples in `FILE`"},
			&cli.StringFlag{Name: "http", Value: defaultAddress, Usage: "`HOST:PORT` of the server; another port is taken where this one is in use"},
			&cli.BoolFlag{Name: "exit", Usage: "stop after the checks; exit with 1 if a test failed"},
		},
		Action: dev,
	}
}

func dev(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	d := &demo{c: c, w: c.App.Writer}
	if err := d.load(); err != nil {
		return err
	}
	d.heading("The schema " + d.title)
	fmt.Fprintln(d.w, indented(d.summary()))
	passed, err := d.test()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "pemba-dev-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	p, err := d.start(folder)
	if err != nil {
		return err
	}
	err = d.ask(p.url)
	if err == nil && !c.Bool("exit") {
		d.invite(p.url)
		err = p.run(c.Context)
	}
	err = errors.Join(err, p.close())
	if err == nil && c.Bool("exit") && !(passed && d.asExpected) {
		return errQuiet(exitNo)
	}
	return err
}

// demo is one run of dev.
type demo struct {
	c          *cli.Context
	w          io.Writer
	title      string
	schemaFile string         // --schema
	module     *schema.Module // with the tests
	files      []source.File  // what the store gets: the schema without its tests' file
	tuples     []tuplefile.Entry
	asExpected bool // every prepared check was answered as prepared
}

func (d *demo) heading(text string) {
	fmt.Fprintf(d.w, "\n%s\n%s\n", text, strings.Repeat("─", len([]rune(text))))
}

func indented(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

func (d *demo) summary() string {
	r := checked{Valid: true}
	r.count(d.module)
	text := strings.TrimPrefix(r.String(), ": good: ")
	return strings.ReplaceAll(text, " (pemba schema test runs them)", "")
}

// test runs the tests that stand in the schema.
func (d *demo) test() (passed bool, err error) {
	if len(d.module.Tests) == 0 {
		return true, nil
	}
	report, err := scenario.Run(d.c.Context, d.module, scenario.Options{})
	if err != nil {
		return false, err
	}
	d.heading("Its tests")
	report.Coverage = nil // pemba schema test shows it
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		return false, err
	}
	_, err = fmt.Fprintln(d.w, indented(text.String()))
	return report.OK(), err
}

// start runs a node in a folder, on another port where the wanted one is in use.
func (d *demo) start(folder string) (*process, error) {
	config := processConfig{httpAddr: d.c.String("http"), store: raftstore.Config{Dir: folder, NoSync: true}}
	p, err := start(d.c.Context, config)
	if err == nil || d.c.IsSet("http") {
		return p, err
	}
	if host, _, splitErr := net.SplitHostPort(config.httpAddr); splitErr == nil && errors.As(err, new(*net.OpError)) {
		config.httpAddr = net.JoinHostPort(host, "0")
		return start(d.c.Context, config)
	}
	return nil, err
}

// ask fills the store over HTTP and asks the questions.
func (d *demo) ask(url string) error {
	conn, err := client.New(client.Config{Addresses: []string{url}})
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := d.c.Context
	if _, err := conn.PutStore(ctx, devStore); err != nil {
		return err
	}
	store := conn.Store(devStore).Session()
	if _, err := store.PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{Files: apiFiles(d.files)}}); err != nil {
		return placed(d.schemaFile, err)
	}
	b := newBatch(store, 500, 1, &imported{Tuples: len(d.tuples)})
	for _, e := range d.tuples {
		if err := b.add(ctx, e); err != nil {
			return err
		}
	}
	if err := b.end(ctx); err != nil {
		return err
	}
	d.heading(fmt.Sprintf("Checks, over %s in the store %s", plural(len(d.tuples), "tuple"), devStore))
	questions := d.questions()
	if len(questions) == 0 {
		fmt.Fprintln(d.w, "  none: give some tuples with --tuples FILE")
	}
	d.asExpected = true
	for _, q := range questions {
		begin := time.Now()
		answer, err := store.Explain(ctx, api.CheckRequest{Question: q.Question})
		if err != nil {
			fmt.Fprintf(d.w, "\n  may %s %s %s?\n%s\n", q.Subject, q.Permission, q.Object, indented(render(err)))
			d.asExpected = false
			continue
		}
		fmt.Fprintf(d.w, "\n  %s may %s %s %s? %s (%v over HTTP)\n", marks[answer.Result], q.Subject, q.Permission, q.Object,
			strings.ToUpper(verdict(answer.Answer)), time.Since(begin).Round(10*time.Microsecond))
		printExplanation(d.w, "      ", answer.Explanation)
		if q.want != "" && answer.Result != q.want {
			fmt.Fprintf(d.w, "      the example as it comes says %s\n", q.want)
			d.asExpected = d.asExpected && d.schemaFile != ""
		}
	}
	return nil
}

// calledAs is how this command is called once more: go run leaves no pemba behind.
func calledAs() string {
	if name, err := os.Executable(); err == nil && strings.Contains(filepath.ToSlash(name), "/go-build") {
		return "go run ./cmd/pemba"
	}
	return "pemba"
}

// invite says what to do next.
func (d *demo) invite(url string) {
	q := prepared{Question: api.Question{Object: "type:id", Permission: "permission", Subject: "user:ana"}}
	if asked := d.questions(); len(asked) > 0 {
		q = asked[0]
	}
	d.heading("Now you")
	fmt.Fprintf(d.w, "  The server runs at %s until you press Ctrl-C.\n\n", url)
	fmt.Fprintf(d.w, "  Ask it:\n    curl -s %s/v1/stores/%s/check -H 'content-type: application/json' \\\n      -d '{\"object\":%q,\"permission\":%q,\"subject\":%q}'\n\n",
		url, devStore, q.Object, q.Permission, q.Subject)
	again := calledAs()
	fmt.Fprintf(d.w, "  Or, in another terminal:\n    export PEMBA_SERVER=%[1]s PEMBA_STORE=%[2]s\n    %[3]s explain %[4]s %[5]s %[6]s\n    %[3]s lookup permissions %[4]s %[6]s\n    %[3]s tuple read\n\n",
		url, devStore, again, q.Object, q.Permission, q.Subject)
	file := d.schemaFile
	if file == "" {
		file = filepath.ToSlash(filepath.Join("examples", d.c.String("example"), "schema.pemba"))
		if !exists(file) {
			fmt.Fprintf(d.w, "  Change the schema:\n    %[1]s schema get > my.pemba, change it, then\n    %[1]s dev --schema my.pemba\n", again)
			return
		}
	}
	fmt.Fprintf(d.w, "  Change the schema: edit %[1]s, then\n    %[2]s dev --schema %[1]s\n", file, again)
	fmt.Fprintf(d.w, "\n  All of the surface: %s/openapi.json\n", url)
}
