package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "write the tuples of files", ArgsUsage: "FILE… (- is standard input)",
		Description: "Every file is read to its end and held against the schema before the first tuple is written, and every fault\n" +
			"is shown with its line. What is there already is written once more, so an import that was cut off can be repeated.",
		Flags: remote(
			&cli.StringFlag{Name: "format", Usage: "`text`, csv or json; by the file's name without it"},
			fromFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "read and check everything, and write nothing"},
			&cli.StringFlag{Name: "schema", Usage: "with --dry-run: check against this schema `FILE` instead of a store's"},
			&cli.IntFlag{Name: "batch", Value: 500, Usage: "write `N` tuples in one change"},
		),
		Action: importTuples,
	}
}

// imported is the outcome of an import.
type imported struct {
	Tuples  int           `json:"tuples"`
	Written int           `json:"written"` // those that were new or differed
	DryRun  bool          `json:"dry_run"`
	Token   string        `json:"token,omitzero"`
	Took    time.Duration `json:"-"`
}

func importTuples(c *cli.Context) error {
	if !c.Args().Present() {
		return &usageError{command: commandPath(c), message: "no file is named", suggestion: "- is standard input"}
	}
	if n := c.Int("batch"); n < 1 || n > 10_000 {
		return &usageError{command: commandPath(c), message: fmt.Sprintf("--batch %d is not between 1 and 10000", n)}
	}
	if c.String("schema") != "" && !c.Bool("dry-run") {
		return &usageError{command: commandPath(c), message: "--schema is for --dry-run: what is written is held against the store's schema"}
	}
	files, done, err := openFiles(c)
	if err != nil {
		return err
	}
	defer done()
	admitter, store, err := admission(c)
	if err != nil {
		return err
	}
	total, err := verify(files, admitter)
	if err != nil {
		return err
	}
	result := imported{Tuples: total, DryRun: c.Bool("dry-run")}
	if !result.DryRun {
		if err := send(c, store, files, &result); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, result)
	}
	if result.DryRun {
		_, err = fmt.Fprintf(c.App.Writer, "%s would be written: every line is good\n", plural(total, "tuple"))
	} else {
		_, err = fmt.Fprintf(c.App.Writer, "%s imported, %d of them new or changed, in %v\ntoken %s\n",
			plural(total, "tuple"), result.Written, result.Took.Round(time.Millisecond), result.Token)
	}
	return err
}

// inputFile is a file that can be read twice.
type inputFile struct {
	name   string
	file   *os.File
	format tuplefile.Format
	from   func(name string, r io.Reader) iter.Seq2[tuple.Tuple, error] // another engine's; nil: format says how
}

// tupleImporters read other engines' files of tuples.
var tupleImporters = map[string]func(name string, r io.Reader) iter.Seq2[tuple.Tuple, error]{
	"openfga": openfga.Tuples, "spicedb": spicedb.Tuples,
}

// openFiles opens what the arguments name; standard input is kept in a file.
func openFiles(c *cli.Context) (files []inputFile, done func(), err error) {
	var closers []func()
	done = func() {
		for _, f := range closers {
			f()
		}
	}
	from := c.String("from")
	switch {
	case from != "" && tupleImporters[from] == nil:
		return nil, nil, dialectError(c, from)
	case from != "" && c.String("format") != "":
		return nil, nil, &usageError{command: commandPath(c), message: "--format and --from exclude each other: " + from + " has its own formats"}
	}
	for _, name := range c.Args().Slice() {
		in := inputFile{name: name, format: tuplefile.FormatOf(name), from: tupleImporters[from]}
		if text := c.String("format"); text != "" {
			if in.format, err = tuplefile.ParseFormat(text); err != nil {
				done()
				return nil, nil, err
			}
		}
		if name == "-" {
			in.name = "standard input"
			in.file, err = spool(c.App.Reader)
		} else {
			in.file, err = os.Open(name)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		file := in.file
		closers = append(closers, func() {
			file.Close()
			if name == "-" {
				os.Remove(file.Name())
			}
		})
		files = append(files, in)
	}
	return files, done, nil
}

func spool(r io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "pemba-import-*")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(file, r); err != nil {
		file.Close()
		os.Remove(file.Name())
		return nil, err
	}
	return file, nil
}

// entries reads the file from its beginning. Of other engines' files only faults
// have places; their tuples are counted.
func (in inputFile) entries() (iter.Seq2[tuplefile.Entry, error], error) {
	if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if in.from == nil {
		return tuplefile.Read(in.name, in.file, in.format), nil
	}
	return func(yield func(tuplefile.Entry, error) bool) {
		for t, err := range in.from(in.name, in.file) {
			if !yield(tuplefile.Entry{Tuple: t, Place: source.Place{File: in.name, Line: 1, Column: 1}}, err) {
				return
			}
		}
	}, nil
}

// admission returns what the tuples are held against and where they are written.
// With --dry-run and --schema no server is asked.
func admission(c *cli.Context) (*schema.Admitter, *client.Store, error) {
	if name := c.String("schema"); name != "" {
		module, err := compileFile(c, name)
		if err != nil {
			return nil, nil, err
		}
		return module.Admission.Index(), nil, nil
	}
	store, err := connectStore(c)
	if err != nil {
		return nil, nil, err
	}
	current, err := freshSchema(c.Context, store)
	if err != nil {
		return nil, nil, err
	}
	module, err := compileSource(sourceFiles(current.Files))
	if err != nil {
		return nil, nil, fmt.Errorf("the store's schema is not one that this version compiles: %w", err)
	}
	return module.Admission.Index(), store, nil
}

// freshSchema returns the schema as of now, though the asked node may be behind.
func freshSchema(ctx context.Context, store *client.Store) (api.SchemaResponse, error) {
	now, err := store.ReadTuples(ctx, api.ReadRequest{Page: api.Page{Limit: 1}, Consistency: api.FullyConsistent()})
	if err != nil {
		return api.SchemaResponse{}, err
	}
	return store.Schema(ctx, now.Token)
}

// verify reads all files and returns how many tuples they hold, or every fault.
func verify(files []inputFile, admitter *schema.Admitter) (int, error) {
	const most = 100
	total := 0
	var faults source.Diagnostics
	for _, in := range files {
		entries, err := in.entries()
		if err != nil {
			return 0, err
		}
		before := total
		for e, err := range entries {
			var d *source.Diagnostic
			switch {
			case errors.As(err, &d):
				faults = append(faults, d)
			case err != nil:
				return 0, err
			default:
				total++
				if refusal := admitter.Admit(e.Tuple); refusal != nil {
					if in.from != nil {
						refusal.Message = fmt.Sprintf("the tuple number %d: %s", total-before, refusal.Message)
					}
					faults = append(faults, &source.Diagnostic{Code: string(refusal.Code), Place: e.Place, Excerpt: clipped(e.Tuple.String()),
						Message: refusal.Message, Expected: refusal.Expected, Suggestion: refusal.Suggestion, Width: 1})
				}
			}
			if len(faults) == most {
				return 0, faults
			}
		}
	}
	if len(faults) > 0 {
		return 0, faults
	}
	return total, nil
}

func clipped(text string) string {
	if len(text) > 200 {
		return ""
	}
	return text
}

// send writes the tuples of all files in batches.
func send(c *cli.Context, store *client.Store, files []inputFile, result *imported) error {
	begin := time.Now()
	defer func() { result.Took = time.Since(begin) }()
	batch := batch{store: store, most: c.Int("batch"), result: result, total: result.Tuples, said: begin}
	if !c.Bool("json") && result.Tuples > batch.most {
		batch.progress = c.App.ErrWriter
	}
	for _, in := range files {
		entries, err := in.entries()
		if err != nil {
			return err
		}
		for e, err := range entries {
			if err != nil {
				return err // it was good a moment ago: the file has changed
			}
			if err := batch.add(c.Context, e); err != nil {
				return err
			}
		}
	}
	return batch.flush(c.Context)
}

// batch gathers tuples for one write. A tuple that it holds already begins the
// next one: a write may name a tuple once.
type batch struct {
	store    *client.Store
	most     int
	pending  []tuplefile.Entry
	keys     map[string]bool
	sent     int
	total    int
	result   *imported
	progress io.Writer // nil: none
	tenths   int       // of the whole, and when they were said last
	said     time.Time
}

func (b *batch) add(ctx context.Context, e tuplefile.Entry) error {
	key := e.Tuple.Key.String()
	if len(b.pending) == b.most || b.keys[key] {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	if b.keys == nil {
		b.keys = make(map[string]bool, b.most)
	}
	b.keys[key] = true
	b.pending = append(b.pending, e)
	return nil
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.pending) == 0 {
		return nil
	}
	wire := make([]api.Tuple, len(b.pending))
	for i, e := range b.pending {
		wire[i] = api.FromTuple(e.Tuple)
	}
	answer, err := b.store.Touch(ctx, wire...)
	if err != nil {
		return b.explain(err)
	}
	b.sent += len(b.pending)
	b.result.Written += answer.Written
	b.result.Token = string(answer.Token)
	b.pending = b.pending[:0]
	clear(b.keys)
	if tenth := 10 * b.sent / b.total; b.progress != nil && (tenth > b.tenths || time.Since(b.said) > 5*time.Second) {
		b.tenths, b.said = tenth, time.Now()
		fmt.Fprintf(b.progress, "%d of %d tuples (%d%%)\n", b.sent, b.total, 100*b.sent/b.total)
	}
	return nil
}

// explain says which lines a refused batch is about, and what was written before it.
func (b *batch) explain(err error) error {
	before := fmt.Sprintf("%s of %d were written before the fault; repeating the import writes the rest", plural(b.sent, "tuple"), b.total)
	problem := api.AsProblem(err)
	if problem == nil {
		return fmt.Errorf("%w (%s)", err, before)
	}
	for i, f := range problem.Errors {
		rest, ok := strings.CutPrefix(f.Pointer, "/operations/")
		number, _, _ := strings.Cut(rest, "/")
		if n, convErr := strconv.Atoi(number); ok && convErr == nil && n >= 0 && n < len(b.pending) {
			e := b.pending[n]
			problem.Errors[i].File, problem.Errors[i].Line, problem.Errors[i].Column = e.Place.File, e.Place.Line, e.Place.Column
			problem.Errors[i].Excerpt = clipped(e.Tuple.String())
		}
	}
	if b.sent > 0 {
		problem.Errors = append(problem.Errors, api.Fault{Code: problem.Code, Message: before})
	}
	return problem
}

func exportCommand() *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write the store's tuples to a file or standard output",
		Flags: remote(append(append(filterFlags(), freshness()...),
			&cli.StringFlag{Name: "format", Usage: "`text`, csv or json (lines); by the file's name without it"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FILE` to write; standard output without it"})...),
		Action: exportTuples,
	}
}

func exportTuples(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := readFilter(c)
	if err != nil {
		return err
	}
	consistency, err := readConsistency(c)
	if err != nil {
		return err
	}
	format := tuplefile.FormatOf(c.String("output"))
	switch name := c.String("format"); {
	case name != "":
		if format, err = tuplefile.ParseFormat(name); err != nil {
			return err
		}
	case c.Bool("json"):
		format = tuplefile.JSON
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	out := c.App.Writer
	if name := c.String("output"); name != "" {
		file, createErr := os.Create(name)
		if createErr != nil {
			return createErr
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	w, err := tuplefile.NewWriter(out, format)
	if err != nil {
		return err
	}
	n := 0
	for wire, err := range store.Tuples(c.Context, api.ReadRequest{Filter: filter, Consistency: consistency}) {
		if err != nil {
			return fmt.Errorf("after %s, so that the export is not whole: %w", plural(n, "tuple"), err)
		}
		t, faults := wire.Tuple()
		if len(faults) > 0 {
			return fmt.Errorf("the server answered a tuple that is none: %s", faults[0])
		}
		if err := w.Write(t); err != nil {
			return err
		}
		n++
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if name := c.String("output"); name != "" {
		_, err = fmt.Fprintf(c.App.ErrWriter, "%s written to %s\n", plural(n, "tuple"), name)
	}
	return err
}
