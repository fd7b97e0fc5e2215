package tuplefile

import (
	"bufio"
	"encoding/csv"
	"io"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Writer writes tuples to a file that Read reads. Flush ends it.
type Writer struct {
	format Format
	w      *bufio.Writer
	rows   *csv.Writer
}

// NewWriter returns a writer of a format; JSON is written in lines.
func NewWriter(w io.Writer, format Format) (*Writer, error) {
	out := &Writer{format: format, w: bufio.NewWriter(w)}
	if format == CSV {
		out.rows = csv.NewWriter(out.w)
		return out, out.rows.Write(Columns)
	}
	return out, nil
}

// Write writes one tuple.
func (w *Writer) Write(t tuple.Tuple) error {
	switch w.format {
	case CSV:
		expires := ""
		if !t.Expires.IsZero() {
			expires = t.Expires.UTC().Format(time.RFC3339Nano)
		}
		return w.rows.Write([]string{t.Object.String(), t.Relation, t.Subject.String(), t.Condition.Name, string(t.Condition.Context), expires})
	case JSON:
		line, err := marshal(t)
		if err != nil {
			return err
		}
		_, err = w.w.Write(append(line, '\n'))
		return err
	default:
		_, err := w.w.WriteString(t.String() + "\n")
		return err
	}
}

// Flush writes out what is buffered.
func (w *Writer) Flush() error {
	if w.rows != nil {
		w.rows.Flush()
		if err := w.rows.Error(); err != nil {
			return err
		}
	}
	return w.w.Flush()
}
