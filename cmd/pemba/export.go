package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/urfave/cli/v2"
)

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
	request, store, err := askTuples(c)
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
	for wire, err := range store.Tuples(c.Context, request) {
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
