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
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func schemaDiffCommand() *cli.Command {
	return &cli.Command{
		Name: "diff", Usage: "what differs in meaning between two schemas", ArgsUsage: "[OLD] NEW",
		Description: "With one file it is compared with the schema of the store. Breaking changes come first. Tests in the\n" +
			"old one that would begin to fail are named, and tuples that NEW would orphan; with --impact every decision that would flip.",
		Flags: remote(
			&cli.BoolFlag{Name: "exit-code", Usage: "exit with 1 if a change is breaking"},
			&cli.BoolFlag{Name: "impact", Usage: "say what it does to live tuples: those of the store, or of --tuples where two files are compared"},
			&cli.StringFlag{Name: "tuples", Usage: "with --impact and two files: the live tuples, in `FILE`"}),
		Action: diffSchemas,
	}
}

func diffSchemas(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) != 1 && len(names) != 2 {
		return &usageError{command: commandPath(c), message: "the command takes one file or two: [OLD] NEW"}
	}
	if c.String("tuples") != "" && (!c.Bool("impact") || len(names) == 1) {
		return &usageError{command: commandPath(c), message: "--tuples needs --impact and two files"}
	}
	var d api.DiffSchemaResponse
	var err error
	if len(names) == 2 {
		d, err = diffFiles(c, names[0], names[1])
	} else {
		d, err = diffStore(c, names[0])
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c.App.Writer, d)
	} else {
		err = printDifference(c, d)
	}
	if err == nil && d.Breaking && c.Bool("exit-code") {
		return errQuiet(exitNo)
	}
	return err
}

// diffStore lets the server compare a file with the store's schema and tuples.
func diffStore(c *cli.Context, name string) (api.DiffSchemaResponse, error) {
	files, err := loadFile(c, name)
	if err != nil {
		return api.DiffSchemaResponse{}, err
	}
	store, err := connectStore(c)
	if err != nil {
		return api.DiffSchemaResponse{}, err
	}
	d, err := store.DiffSchema(c.Context, api.DiffSchemaRequest{SchemaSource: api.SchemaSource{Files: apiFiles(files)},
		Impact: c.Bool("impact"), Moment: api.Moment{Consistency: api.FullyConsistent()}})
	return d, placed(name, err)
}

// diffFiles compares two files and, with --impact, what they make of a file of tuples.
func diffFiles(c *cli.Context, oldName, newName string) (d api.DiffSchemaResponse, err error) {
	updated, err := compileFile(c, newName)
	if err != nil {
		return d, err
	}
	old, err := compileFile(c, oldName)
	if err != nil {
		return d, err
	}
	d.Changes, d.Warnings = []api.SchemaChange{}, faultsOf(updated.Warnings)
	for _, x := range schema.Diff(old.Schema, updated.Schema) {
		d.Breaking = d.Breaking || x.Breaking
		d.Changes = append(d.Changes, api.SchemaChange{Code: x.Code, Name: x.Name, Detail: x.Detail, Breaking: x.Breaking,
			Effect: string(x.Effect), Place: x.Place.String()})
	}
	regressions, err := scenario.Regressions(c.Context, old, updated, scenario.Options{})
	if err != nil {
		return d, err
	}
	for _, r := range regressions {
		d.Tests = append(d.Tests, api.Regression(r))
	}
	if !c.Bool("impact") {
		return d, nil
	}
	if c.String("tuples") == "" {
		return d, &usageError{command: commandPath(c), message: "--impact of two files needs --tuples", suggestion: "with one file it is the store's tuples"}
	}
	tuples, err := fileTuples(c.Context, c.String("tuples"))
	if err != nil {
		return d, err
	}
	found, err := impact.Compare(c.Context, impact.Change{Before: old.Schema, After: updated, Tuples: tuples, Now: time.Now()})
	if err != nil {
		return d, err
	}
	d.OrphanCount = len(found.Orphans)
	for _, o := range found.Orphans {
		d.Orphans = append(d.Orphans, api.Orphan{Tuple: api.FromTuple(o.Tuple), Code: api.Code(o.Code), Message: o.Message})
	}
	for f, err := range found.Flips(c.Context) {
		if err != nil {
			return d, err
		}
		d.Flips = append(d.Flips, api.Flip{Object: f.Object.String(), Permission: f.Permission, Subject: f.Subject.String(),
			Before: outcome(f.Before), After: outcome(f.After)})
	}
	return d, nil
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

func printDifference(c *cli.Context, d api.DiffSchemaResponse) error {
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
			t.row(mark, strings.ReplaceAll(x.Code, "_", " "), x.Name, strings.ReplaceAll(x.Effect, "_", " "), x.Detail)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(d.Tests) > 0 {
		fmt.Fprintf(w, "\n%s would begin to fail\n", plural(len(d.Tests), "test"))
	}
	for _, r := range d.Tests {
		fmt.Fprintf(w, "  %s: %s: %s\n", r.Place, r.Test, r.Why)
	}
	if d.OrphanCount > 0 || c.Bool("impact") {
		fmt.Fprintf(w, "\n%s would not be admitted any more\n", plural(d.OrphanCount, "tuple"))
	}
	for _, o := range d.Orphans {
		fmt.Fprintf(w, "  %s\n", o.Message)
	}
	if more := d.OrphanCount - len(d.Orphans); more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	if !c.Bool("impact") {
		return nil
	}
	count := plural(len(d.Flips), "decision")
	if d.MoreFlips {
		count = "more than " + count
	}
	fmt.Fprintf(w, "\n%s would flip\n", count)
	if len(d.Flips) == 0 {
		return nil
	}
	t := newTable(w, "object", "permission", "subject", "before", "after")
	for _, f := range d.Flips {
		t.row(f.Object, f.Permission, f.Subject, string(f.Before), string(f.After))
	}
	return t.flush()
}
