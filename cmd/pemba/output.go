package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/urfave/cli/v2"
)

var jsonFlag = &cli.BoolFlag{Name: "json", Usage: "print JSON for programs, errors included"}

// printJSON prints one document over several lines.
func printJSON(w io.Writer, value any) error {
	text, err := json.Marshal(value, jsontext.Multiline(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// printLine prints one document in one line, for lists that programs read line by line.
func printLine(w io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// table prints rows in aligned columns as they come; Flush ends it.
type table struct {
	w    *tabwriter.Writer
	rows int
}

func newTable(w io.Writer, heads ...string) *table {
	t := &table{w: tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	if len(heads) > 0 {
		fmt.Fprintln(t.w, strings.ToUpper(strings.Join(heads, "\t")))
	}
	return t
}

func (t *table) row(cells ...string) {
	t.rows++
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	if t.rows%500 == 0 {
		t.w.Flush() // a long list appears as it comes
	}
}

func (t *table) flush() error { return t.w.Flush() }

// plural returns "1 tuple" or "2 tuples".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
