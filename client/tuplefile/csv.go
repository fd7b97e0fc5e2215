package tuplefile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Columns are the columns of a CSV file that Write writes, in its order. The
// first three are required of a file that is read; the order is the header's.
var Columns = []string{"object", "relation", "subject", "condition", "context", "expires"}

func readCSV(name string, r io.Reader, yield func(Entry, error) bool) {
	rows := csv.NewReader(&boundedLines{r: bufio.NewReader(r)})
	rows.ReuseRecord = true
	rows.FieldsPerRecord = -1
	place := source.Place{File: name, Line: 1, Column: 1}
	head, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return
	}
	if err != nil {
		yield(Entry{}, csvError(place, err))
		return
	}
	columns, err := readHead(place, head)
	if err != nil {
		yield(Entry{}, err)
		return
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			broken := csvError(place, err)
			_, readsOn := broken.(*source.Diagnostic)
			if !yield(Entry{}, broken) || !readsOn || errors.Is(err, errLongLine) {
				return
			}
			continue
		}
		place.Line, place.Column = rows.FieldPos(0)
		e, err := readRow(rows, place, columns, row)
		if err != nil {
			e = Entry{}
		}
		if !yield(e, err) {
			return
		}
	}
}

// readHead returns the column of each known name.
func readHead(place source.Place, head []string) (map[string]int, error) {
	columns := map[string]int{}
	line := strings.Join(head, ",")
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
		if !slices.Contains(Columns, name) {
			return nil, fault(place, line, fmt.Sprintf("there is no column %q", name), nearestSuggestion(name, Columns))
		}
		if _, twice := columns[name]; twice {
			return nil, fault(place, line, fmt.Sprintf("the column %s is there twice", name), "")
		}
		columns[name] = i
	}
	for _, name := range Columns[:3] {
		if _, ok := columns[name]; !ok {
			return nil, fault(place, line, fmt.Sprintf("the column %s is missing", name),
				"the first line names the columns: object,relation,subject and, as needed, condition,context,expires")
		}
	}
	return columns, nil
}

func readRow(rows *csv.Reader, place source.Place, columns map[string]int, row []string) (Entry, error) {
	if len(row) != len(columns) {
		return Entry{}, fault(place, "", fmt.Sprintf("the line has %d fields, the header %d", len(row), len(columns)), "quote a field that holds a comma")
	}
	field := func(name string) string {
		if i, ok := columns[name]; ok {
			return row[i]
		}
		return ""
	}
	wire := api.Tuple{Object: field("object"), Relation: field("relation"), Subject: field("subject")}
	if condition, context := field("condition"), field("context"); condition != "" || context != "" {
		wire.Condition = &api.Condition{Name: condition}
		if context != "" {
			wire.Condition.Context = jsontext.Value(context)
		}
	}
	if text := field("expires"); text != "" {
		var err error
		if wire.Expires, err = tuple.ParseTime(text); err != nil {
			return Entry{}, fieldFault(rows, place, columns["expires"], err.Error())
		}
	}
	t, faults := wire.Tuple()
	if len(faults) > 0 {
		column := columnOf(faults[0].Pointer)
		return Entry{}, fieldFault(rows, place, columns[column], column+": "+faults[0].Message)
	}
	return Entry{t, place}, nil
}

// columnOf is the column that holds the member of the wire form that a pointer leads to.
func columnOf(pointer string) string {
	switch pointer {
	case "/condition/name":
		return "condition"
	case "/condition/context":
		return "context"
	}
	return strings.TrimPrefix(pointer, "/")
}

func fieldFault(rows *csv.Reader, place source.Place, field int, message string) error {
	place.Line, place.Column = rows.FieldPos(field)
	return fault(place, "", message, "")
}

func csvError(place source.Place, err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		place.Line, place.Column = parse.Line, parse.Column
		return fault(place, "", parse.Err.Error(), "")
	}
	if errors.Is(err, errLongLine) {
		return fault(place, "", err.Error(), "")
	}
	return fmt.Errorf("reading %s: %w", place.File, err)
}

var errLongLine = fmt.Errorf("a line is longer than %d bytes, or a quote is not closed: the rest of the file is not read", maxLine)

// boundedLines ends with errLongLine where a line is too long, since the CSV
// reader itself holds a record whole. A record over several lines is as long as
// they are together, up to the same bound.
type boundedLines struct {
	r      *bufio.Reader
	line   int
	quoted bool // an odd number of quotes so far: the record goes on in the next line
}

// Read reads as io.Reader has it.
func (b *boundedLines) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	for _, c := range p[:n] {
		if c == '"' {
			b.quoted = !b.quoted
		}
		if b.line++; c == '\n' && !b.quoted {
			b.line = 0
		}
		if b.line > maxLine {
			return 0, errLongLine
		}
	}
	return n, err
}
