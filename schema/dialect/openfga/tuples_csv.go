package openfga

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// columns are those of a CSV file; the last ones may be left out.
var columns = []string{"user_type", "user_id", "user_relation", "relation", "object_type", "object_id", "condition_name", "condition_context"}

var optionalColumns = []string{"user_relation", "condition_name", "condition_context"}

func readCSV(name string, r io.Reader, yield func(dialect.Placed, error) bool) {
	stream := dialect.NewStream(name, r).WithoutPlaces()
	rows := csv.NewReader(stream)
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil {
		yield(dialect.Placed{}, csvFault(name, 1, err))
		return
	}
	index, err := csvHeader(name, header)
	if err != nil {
		yield(dialect.Placed{}, err)
		return
	}
	for line := 1; ; {
		stream.Next()
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		var t dialect.Placed
		if err != nil {
			err = csvFault(name, line+1, err)
		} else {
			line, _ = rows.FieldPos(len(row) - 1)
			first, _ := rows.FieldPos(0)
			t, err = csvKey(row, index).tuple(source.Place{File: name, Line: first, Column: 1})
		}
		if !yield(t, err) || fatal(err) {
			return
		}
	}
}

// fatal says whether a reader cannot go on after an error.
func fatal(err error) bool {
	var d *source.Diagnostic
	return err != nil && (!errors.As(err, &d) || d.Code == unreadable)
}

// unreadable is the code of a fault after which nothing can be read.
const unreadable = "unreadable"

// csvHeader returns the position of every column.
func csvHeader(name string, header []string) (map[string]int, error) {
	index := map[string]int{}
	at := source.Place{File: name, Line: 1, Column: 1}
	for i, h := range header {
		h = strings.TrimSpace(h)
		if !slices.Contains(columns, h) {
			return nil, dialect.Fault(at, "unknown column %q: the columns are %s", tuple.Clip(h), strings.Join(columns, ", "))
		}
		if _, twice := index[h]; twice {
			return nil, dialect.Fault(at, "the column %s stands twice", h)
		}
		index[h] = i
	}
	for _, c := range columns {
		if _, ok := index[c]; !ok && !slices.Contains(optionalColumns, c) {
			return nil, dialect.Fault(at, "the column %s is missing: the first line names the columns", c)
		}
	}
	return index, nil
}

func csvKey(row []string, index map[string]int) key {
	field := func(column string) string {
		if i, ok := index[column]; ok {
			return row[i]
		}
		return ""
	}
	k := key{
		user:      field("user_type") + ":" + field("user_id"),
		relation:  field("relation"),
		object:    field("object_type") + ":" + field("object_id"),
		condition: field("condition_name"),
	}
	if relation := field("user_relation"); relation != "" {
		k.user += "#" + relation
	}
	if context := field("condition_context"); context != "" {
		k.context = []byte(context)
	}
	return k
}

// csvFault gives an error of the CSV reader its place. A row with too few or too
// many fields is passed over; anything else ends the reading. Line is that of the
// row where the reader does not say.
func csvFault(name string, line int, err error) error {
	var parse *csv.ParseError
	at := source.Place{File: name, Line: line, Column: 1}
	switch {
	case errors.Is(err, io.EOF):
		return dialect.Fault(at, "the file is empty: its first line names the columns %s", strings.Join(columns, ", "))
	case errors.As(err, &parse):
		at.Line, at.Column = parse.Line, parse.Column
		fault := dialect.Fault(at, "%v", parse.Err)
		if !errors.Is(err, csv.ErrFieldCount) {
			return lastFault(fault)
		}
		at.Line, at.Column = parse.StartLine, 1
		return dialect.Fault(at, "the row has another number of fields than the first line")
	case errors.Is(err, dialect.ErrTupleTooLong):
		return lastFault(dialect.Fault(at, "%v", err))
	}
	return fmt.Errorf("read %s: %w", name, err)
}

// lastFault marks a fault as the last one.
func lastFault(err error) error {
	var d *source.Diagnostic
	if errors.As(err, &d) {
		d.Code = unreadable
	}
	return err
}
