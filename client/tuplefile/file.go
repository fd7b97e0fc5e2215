// Package tuplefile reads and writes files of tuples: text, CSV, JSON. Call Read
// first; it yields each tuple with its place, or what is wrong at a place, and
// reads on behind a fault, so that one pass finds all faults of a file. It holds
// one tuple in memory at a time, whatever the file holds.
package tuplefile

import (
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Format is how a file holds its tuples.
type Format string

// The formats. Text has one tuple a line, document:readme#viewer@user:ana, and
// comments behind # at the beginning of a line. CSV has a header that names its
// columns. JSON is an array, a sequence of lines (NDJSON), or what reading
// tuples over HTTP answers.
const (
	Text Format = "text"
	CSV  Format = "csv"
	JSON Format = "json"
)

// ParseFormat reads the name of a format; ndjson is JSON too.
func ParseFormat(name string) (Format, error) {
	switch name {
	case "text", "csv", "json":
		return Format(name), nil
	case "ndjson", "jsonl":
		return JSON, nil
	}
	text := fmt.Sprintf("there is no tuple format %q: text, csv and json (or ndjson) are read", name)
	if near := source.DidYouMean(name, []string{"text", "csv", "json", "ndjson"}); near != "" {
		text += "; " + near
	}
	return "", fmt.Errorf("%s", text)
}

// FormatOf guesses a file's format by the end of its name; Text where it says nothing.
func FormatOf(name string) Format {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return CSV
	case ".json", ".ndjson", ".jsonl":
		return JSON
	}
	return Text
}

// Entry is a tuple with its place in a file.
type Entry struct {
	Tuple tuple.Tuple
	Place source.Place
}

const (
	// maxLine is the longest line of a text or CSV file, in bytes: more than the longest tuple.
	maxLine = 64 << 10
	// maxValue is the longest value of a JSON file, in bytes: a page of tuples as the
	// server answers it. A long array is not one value: its tuples are.
	maxValue = 16 << 20
)

// Read yields the tuples of a file in their order. A *source.Diagnostic says
// what is wrong with one of them, and reading goes on if it can; any other error
// is of the reader and ends it.
func Read(name string, r io.Reader, format Format) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		switch format {
		case CSV:
			readCSV(name, r, yield)
		case JSON:
			readJSON(name, r, yield)
		default:
			readText(name, r, yield)
		}
	}
}

// ReadAll reads a file whole. The error holds every fault, as source.Diagnostics,
// the first 100 of them.
func ReadAll(name string, r io.Reader, format Format) ([]Entry, error) {
	const most = 100
	var entries []Entry
	var faults source.Diagnostics
	for e, err := range Read(name, r, format) {
		d, ok := err.(*source.Diagnostic)
		switch {
		case ok:
			if faults = append(faults, d); len(faults) == most {
				return nil, faults
			}
		case err != nil:
			return nil, err
		default:
			entries = append(entries, e)
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return entries, nil
}

func fault(place source.Place, excerpt, message, suggestion string) *source.Diagnostic {
	if len(excerpt) > 200 {
		excerpt = ""
	}
	return &source.Diagnostic{Code: "malformed_tuple", Place: place, Excerpt: excerpt, Message: message, Suggestion: suggestion}
}

// nearestSuggestion asks whether a name was meant to be one of those known.
func nearestSuggestion(name string, known []string) string {
	if near := source.DidYouMean(name, known); near != "" {
		return near
	}
	return "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
}
