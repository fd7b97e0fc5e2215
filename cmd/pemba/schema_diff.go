package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/impact"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func schemaDiffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "what differs in meaning between two schemas", ArgsUsage: "[OLD] NEW",
		Description: "With one file it is compared with the schema of the store. Breaking changes come first. With --impact the live tuples\n" +
			"are read: those that NEW would orphan are listed, and every decision that would flip.",
		Flags: remote(
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with 1 if a change is breaking"},
			&cli.BoolFlag{Name: "impact", Usage: "say what it does to live tuples: those of the store, or of --tuples"},
			&cli.StringFlag{Name: "tuples", Usage: "with --impact: the tuples in `FILE` instead of a store's"}),
		Action: diffSchemas,
	}
}

// difference is the outcome of a comparison.
type difference struct {
	Changes []change `json:"changes"`
	Orphans []orphan `json:"orphans,omitzero"` // --impact
	Flips   []flip   `json:"flips,omitzero"`   // --impact
}

type change struct {
	Code     string        `json:"code"`
	Name     string        `json:"name"`
	Detail   string        `json:"detail,omitzero"`
	Breaking bool          `json:"breaking"`
	Effect   schema.Effect `json:"effect"`
	Place    string        `json:"place"`
}

type orphan struct {
	Tuple   string `json:"tuple"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

type flip struct {
	Object     string     `json:"object"`
	Permission string     `json:"permission"`
	Subject    string     `json:"subject"`
	Before     api.Result `json:"before"`
	After      api.Result `json:"after"`
}

func diffSchemas(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) != 1 && len(names) != 2 {
		return &usageError{command: commandPath(c), message: "the command takes one file or two: [OLD] NEW"}
	}
	if c.String("tuples") != "" && !c.Bool("impact") {
		return &usageError{command: commandPath(c), message: "--tuples needs --impact"}
	}
	updated, err := compileFile(c, names[len(names)-1])
	if err != nil {
		return err
	}
	var old *schema.Module
	if len(names) == 2 {
		old, err = compileFile(c, names[0])
	} else {
		old, err = compileStore(c)
	}
	if err != nil {
		return err
	}
	d := difference{Changes: []change{}}
	breaking := false
	for _, x := range schema.Diff(old.Schema, updated.Schema) {
		breaking = breaking || x.Breaking
		d.Changes = append(d.Changes, change{x.Code, x.Name, x.Detail, x.Breaking, x.Effect, x.Place.String()})
	}
	if c.Bool("impact") {
		if err := d.compare(c, old, updated); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, d)
	} else {
		err = d.print(c)
	}
	if err == nil && breaking && c.Bool("exit-code") {
		return errQuiet(exitNo)
	}
	return err
}

func compileStore(c *cli.Context) (*schema.Module, error) {
	store, err := connectStore(c)
	if err != nil {
		return nil, err
	}
	current, err := freshSchema(c.Context, store)
	if err != nil {
		return nil, err
	}
	return compileSource(sourceFiles(current.Files))
}

// compare reads the live tuples and finds what the change does to them.
func (d *difference) compare(c *cli.Context, old, updated *schema.Module) error {
	tuples, err := liveTuples(c)
	if err != nil {
		return err
	}
	result, err := impact.Compare(c.Context, impact.Change{Before: old.Schema, After: updated, Tuples: tuples, Now: time.Now()})
	if err != nil {
		return err
	}
	d.Orphans, d.Flips = []orphan{}, []flip{}
	for _, o := range result.Orphans {
		d.Orphans = append(d.Orphans, orphan{o.Tuple.String(), string(o.Code), o.Message})
	}
	for f, err := range result.Flips(c.Context) {
		if err != nil {
			return err
		}
		d.Flips = append(d.Flips, flip{f.Object.String(), f.Permission, f.Subject.String(), outcome(f.Before), outcome(f.After)})
	}
	return nil
}

func outcome(o engine.Outcome) api.Result {
	switch o {
	case engine.Allowed:
		return api.Allowed
	case engine.Conditional:
		return api.Conditional
	default:
		return api.Denied
	}
}

// liveTuples yields the tuples of --tuples or of the store.
func liveTuples(c *cli.Context) (iter.Seq2[tuple.Tuple, error], error) {
	if name := c.String("tuples"); name != "" {
		return fileTuples(c.Context, name)
	}
	store, err := connectStore(c)
	if err != nil {
		return nil, err
	}
	return func(yield func(tuple.Tuple, error) bool) {
		for wire, err := range store.Tuples(c.Context, api.ReadRequest{}) {
			var t tuple.Tuple
			if err == nil {
				var faults api.Faults
				if t, faults = wire.Tuple(); len(faults) > 0 {
					err = fmt.Errorf("the server answered a tuple that is none: %s", faults[0])
				}
			}
			if !yield(t, err) {
				return
			}
		}
	}, nil
}

func fileTuples(ctx context.Context, name string) (_ iter.Seq2[tuple.Tuple, error], err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	entries, err := tuplefile.ReadAll(filepath.ToSlash(name), file, tuplefile.FormatOf(name))
	if err != nil {
		return nil, err
	}
	return func(yield func(tuple.Tuple, error) bool) {
		for _, e := range entries {
			if !yield(e.Tuple, context.Cause(ctx)) {
				return
			}
		}
	}, nil
}

func (d *difference) print(c *cli.Context) error {
	w := c.App.Writer
	if len(d.Changes) == 0 {
		fmt.Fprintln(w, "no difference of meaning")
	} else {
		t := newTable(w, "breaking", "change", "name", "decisions", "detail")
		for _, x := range d.Changes {
			mark := ""
			if x.Breaking {
				mark = "breaking"
			}
			t.row(mark, strings.ReplaceAll(x.Code, "_", " "), x.Name, strings.ReplaceAll(string(x.Effect), "_", " "), x.Detail)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if !c.Bool("impact") {
		return nil
	}
	fmt.Fprintf(w, "\n%s would not be admitted any more\n", plural(len(d.Orphans), "tuple"))
	for _, o := range d.Orphans {
		fmt.Fprintf(w, "  %s\n", o.Message)
	}
	fmt.Fprintf(w, "\n%s would flip\n", plural(len(d.Flips), "decision"))
	if len(d.Flips) == 0 {
		return nil
	}
	t := newTable(w, "object", "permission", "subject", "before", "after")
	for _, f := range d.Flips {
		t.row(f.Object, f.Permission, f.Subject, string(f.Before), string(f.After))
	}
	return t.flush()
}
