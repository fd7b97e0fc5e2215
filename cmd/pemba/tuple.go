package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func tupleCommand() *cli.Command {
	return &cli.Command{
		Name: "tuple", Usage: "write, delete, read, import and export tuples",
		Subcommands: []*cli.Command{
			{
				Name: "write", Usage: "write tuples: all of them or none", ArgsUsage: "TUPLE…",
				Description: "pemba tuple write 'document:readme#viewer@group:eng#member until 2030-01-01T00:00:00Z'",
				Flags: remote(
					&cli.BoolFlag{Name: "create", Usage: "refuse tuples that are there already"},
					&cli.StringSliceFlag{Name: "if", Usage: "write only if this `TUPLE` is there; may be repeated"},
					&cli.StringSliceFlag{Name: "unless", Usage: "write only if this `TUPLE` is not there; may be repeated"},
					&cli.StringFlag{Name: "idempotency-key", Usage: "a `KEY` that makes a repeated write the same write"}),
				Action: func(c *cli.Context) error {
					if c.Bool("create") {
						return writeTuples(c, api.Create)
					}
					return writeTuples(c, api.Touch)
				},
			},
			{
				Name: "delete", Usage: "delete tuples, by name or by filter, in one change", ArgsUsage: "[TUPLE…]",
				Flags: remote(append(filterFlags(),
					&cli.BoolFlag{Name: "all", Usage: "delete every tuple of the store"},
					&cli.BoolFlag{Name: "dry-run", Usage: "with a filter: list what would be deleted, and delete nothing"})...),
				Action: deleteTuples,
			},
			{
				Name: "read", Usage: "list tuples by filter",
				Flags: remote(append(append(filterFlags(), freshness()...),
					&cli.IntFlag{Name: "limit", Usage: "at most `N` tuples; 0 is all"})...),
				Action: readTuples,
			},
			{
				Name: "quarantined", Usage: "list, or delete for good, tuples that a later schema did not admit",
				Description: "They are kept and never walked. A filter selects some of them.",
				Flags: remote(append(filterFlags(),
					&cli.BoolFlag{Name: "delete", Usage: "delete those that the filter selects"},
					&cli.BoolFlag{Name: "all", Usage: "with --delete and no filter: delete all of them"})...),
				Action: quarantinedTuples,
			},
			importCommand(),
			exportCommand(),
		},
	}
}

func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "object", Usage: "of this `OBJECT`, type:id"},
		&cli.StringFlag{Name: "object-type", Usage: "of objects of this `TYPE`"},
		&cli.StringFlag{Name: "relation", Usage: "of this `RELATION`"},
		&cli.StringFlag{Name: "subject", Usage: "of this `SUBJECT`, type:id, type:* or type:id#relation"},
		&cli.StringFlag{Name: "subject-type", Usage: "of subjects of this `TYPE`"},
		&cli.StringFlag{Name: "subject-relation", Usage: "of usersets with this `RELATION`; - is none"},
	}
}

func readFilter(c *cli.Context) (api.Filter, error) {
	f := api.Filter{Object: c.String("object"), ObjectType: c.String("object-type"), Relation: c.String("relation"),
		Subject: c.String("subject"), SubjectType: c.String("subject-type"), SubjectRelation: c.String("subject-relation")}
	if _, faults := f.Filter(); len(faults) > 0 {
		flag := strings.ReplaceAll(strings.TrimPrefix(faults[0].Pointer, "/"), "_", "-")
		faults[0].Pointer = ""
		return api.Filter{}, &usageError{command: commandPath(c), message: "--" + flag + ": " + faults[0].String()}
	}
	return f, nil
}

// parseArguments reads the arguments as tuples.
func parseArguments(c *cli.Context) ([]tuple.Tuple, error) {
	var tuples []tuple.Tuple
	for _, text := range c.Args().Slice() {
		t, err := tuple.Parse(text)
		if err != nil {
			return nil, err
		}
		tuples = append(tuples, t)
	}
	return tuples, nil
}

func writeTuples(c *cli.Context, op api.Op) error {
	tuples, err := parseArguments(c)
	if err != nil {
		return err
	}
	if len(tuples) == 0 {
		return &usageError{command: commandPath(c), message: "no tuple is named", suggestion: "a file of tuples is read by pemba tuple import"}
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	request := api.WriteRequest{IdempotencyKey: c.String("idempotency-key")}
	if request.Preconditions, err = preconditions(c); err != nil {
		return err
	}
	for _, t := range tuples {
		request.Operations = append(request.Operations, api.Operation{Op: op, Tuple: api.FromTuple(t)})
	}
	answer, err := store.Write(c.Context, request)
	if err != nil {
		return err
	}
	return printWritten(c, answer)
}

func preconditions(c *cli.Context) ([]api.Precondition, error) {
	var out []api.Precondition
	for _, flag := range []struct {
		name string
		must api.Must
	}{{"if", api.Match}, {"unless", api.NotMatch}} {
		for _, text := range c.StringSlice(flag.name) {
			key, err := tuple.ParseKey(text)
			if err != nil {
				return nil, fmt.Errorf("--%s: %w", flag.name, err)
			}
			out = append(out, api.Precondition{Must: flag.must, Filter: api.Filter{
				Object: key.Object.String(), Relation: key.Relation, Subject: key.Subject.String()}})
		}
	}
	return out, nil
}

func printWritten(c *cli.Context, answer api.WriteResponse) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, answer)
	}
	text := plural(answer.Written, "tuple") + " written"
	if answer.Deleted > 0 || c.Command.Name == "delete" || c.Bool("delete") {
		text = plural(answer.Deleted, "tuple") + " deleted"
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s\ntoken %s\n", text, answer.Token)
	return err
}

func deleteTuples(c *cli.Context) error {
	tuples, err := parseArguments(c)
	if err != nil {
		return err
	}
	filter, err := readFilter(c)
	if err != nil {
		return err
	}
	byFilter := filter != api.Filter{} || c.Bool("all")
	switch {
	case byFilter && len(tuples) > 0:
		return &usageError{command: commandPath(c), message: "tuples are named and a filter is set", suggestion: "use one or the other"}
	case !byFilter && len(tuples) == 0:
		return &usageError{command: commandPath(c), message: "nothing says what to delete", suggestion: "name tuples, set a filter, or --all"}
	case !byFilter && c.Bool("dry-run"):
		return &usageError{command: commandPath(c), message: "--dry-run needs a filter"}
	case c.Bool("dry-run"):
		return readTuples(c)
	case !byFilter:
		return writeTuples(c, api.Delete)
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	answer, err := store.DeleteTuples(c.Context, api.DeleteRequest{Filter: filter, All: c.Bool("all")})
	if err != nil {
		return err
	}
	return printWritten(c, answer)
}

func readTuples(c *cli.Context) error {
	request, store, err := askTuples(c)
	if err != nil {
		return err
	}
	return printTuples(c, store.Tuples(c.Context, request), c.Int("limit"))
}

// askTuples reads which tuples are asked for, and connects to the store.
func askTuples(c *cli.Context) (request api.ReadRequest, store *client.Store, err error) {
	if _, err = arguments(c); err != nil {
		return
	}
	if request.Filter, err = readFilter(c); err != nil {
		return
	}
	if request.Consistency, err = readConsistency(c); err != nil {
		return
	}
	store, err = connectStore(c)
	return
}

func quarantinedTuples(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := readFilter(c)
	if err != nil {
		return err
	}
	if c.Bool("delete") && filter == (api.Filter{}) && !c.Bool("all") {
		return &usageError{command: commandPath(c), message: "nothing says what to delete", suggestion: "set a filter, or --all"}
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	if c.Bool("delete") {
		answer, err := store.DeleteQuarantined(c.Context, api.DeleteQuarantinedRequest{Filter: filter, All: c.Bool("all")})
		if err != nil {
			return err
		}
		return printWritten(c, answer)
	}
	return printTuples(c, store.Quarantined(c.Context, api.QuarantinedRequest{Filter: filter}), 0)
}

// printTuples prints the first tuples of a stream, each as a line of text or with
// --json of JSON; most 0 is all.
func printTuples(c *cli.Context, tuples iter.Seq2[api.Tuple, error], most int) error {
	n := 0
	for t, err := range tuples {
		if err != nil {
			return err
		}
		if c.Bool("json") {
			err = printLine(c.App.Writer, t)
		} else {
			_, err = fmt.Fprintln(c.App.Writer, tupleText(t))
		}
		if err != nil {
			return err
		}
		if n++; n == most {
			break
		}
	}
	return nil
}
