package tuplefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func readText(name string, r io.Reader, yield func(Entry, error) bool) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	place := source.Place{File: name, Column: 1}
	for lines.Scan() {
		place.Line++
		line := lines.Text()
		if place.Line == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || strings.HasPrefix(trimmed, "//") {
			continue
		}
		t, err := tuple.Parse(trimmed)
		if err != nil {
			at := place
			at.Column += utf8.RuneCountInString(line[:strings.Index(line, trimmed)]) // of the first character
			if !yield(Entry{}, syntaxFault(at, line, trimmed, err)) {
				return
			}
			continue
		}
		if !yield(Entry{t, place}, nil) {
			return
		}
	}
	if err := lines.Err(); err != nil {
		place.Line++
		yield(Entry{}, lineError(place, err))
	}
}

// syntaxFault puts the place of a fault in a tuple's text into the file.
func syntaxFault(at source.Place, line, text string, err error) *source.Diagnostic {
	var syntax *tuple.SyntaxError
	if !errors.As(err, &syntax) {
		return fault(at, line, err.Error(), "")
	}
	if syntax.Text == text && syntax.Offset <= len(text) {
		at.Column += utf8.RuneCountInString(text[:syntax.Offset])
	}
	return fault(at, line, syntax.Reason, "")
}

func lineError(place source.Place, err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fault(place, "", fmt.Sprintf("the line is longer than %d bytes: it holds no tuple, and the rest of the file is not read", maxLine), "")
	}
	return fmt.Errorf("reading %s: %w", place.File, err)
}
