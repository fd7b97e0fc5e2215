package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
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
			&cli.IntFlag{Name: "parallel", Value: 1, Usage: "send `N` changes at once: faster, in no particular order"},
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
	if n := c.Int("parallel"); n < 1 || n > 64 {
		return &usageError{command: commandPath(c), message: fmt.Sprintf("--parallel %d is not between 1 and 64", n)}
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
		_, err = fmt.Fprintf(c.App.Writer, "%s imported, %d of them new or changed, in %v\n",
			plural(total, "tuple"), result.Written, result.Took.Round(time.Millisecond))
		if err == nil && result.Token != "" { // nothing was written without one
			_, err = fmt.Fprintf(c.App.Writer, "token %s\n", result.Token)
		}
	}
	return err
}

// admission returns what the tuples are held against and where they are written.
// With --dry-run and --schema no server is asked.
func admission(c *cli.Context) (*schema.Admitter, *client.Store, error) {
	if name := c.String("schema"); name != "" {
		module, err := compileFile(c, name)
		if err != nil {
			return nil, nil, err
		}
		return module.Admitter, nil, nil
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
	return module.Admitter, store, nil
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
func verify(files []*inputFile, admitter *schema.Admitter) (int, error) {
	const most = 100
	total := 0
	var faults source.Diagnostics
	for _, in := range files {
		entries, err := in.entries()
		if err != nil {
			return 0, err
		}
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
