// Package source says where things stand in schema files and what is wrong with
// them: files, places, and diagnostics with an excerpt and a suggestion. The
// schema language, the importers of other dialects and the server share it.
package source

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// File is one schema file as it was read.
type File struct {
	Name string // the path that imports use, with slashes; shown in every Place
	Text string
}

// Place is where something stands in a source file. Lines and columns count from
// 1; a column counts characters, not bytes.
type Place struct {
	File   string
	Line   int
	Column int
}

// String returns file:line:column.
func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Compare orders places by file, line and column.
func (p Place) Compare(q Place) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Severity tells errors, which refuse a schema, from warnings, which do not.
type Severity uint8

const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Diagnostic is one thing that is wrong in a file.
type Diagnostic struct {
	Severity   Severity
	Code       string // stable, like unknown_relation; listed in docs/language.md
	Place      Place
	Width      int    // how many characters of the line are at fault; 0 is one
	Excerpt    string // the line that Place is in, without its end
	Message    string // what is wrong, naming the thing
	Expected   string // what could stand there; "" when there is nothing to say
	Suggestion string // what to do: a near miss by name, or the way out
}

// Error returns file:line:column: message, in one line.
func (d *Diagnostic) Error() string { return d.Place.String() + ": " + d.Message }

// Render returns the diagnostic as a person reads it, over several lines: the
// message, the excerpt with a caret under the fault, what was expected, what to do.
func (d *Diagnostic) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s [%s]\n", d.Place, d.Severity, d.Message, d.Code)
	if d.Excerpt != "" {
		margin := fmt.Sprintf("%5d | ", d.Place.Line)
		line, before, width := d.window()
		fmt.Fprintf(&b, "%s%s\n", margin, strings.ReplaceAll(line, "\t", " "))
		fmt.Fprintf(&b, "%s%s%s\n", strings.Repeat(" ", len(margin)),
			strings.Repeat(" ", before), strings.Repeat("^", width))
	}
	if d.Expected != "" {
		fmt.Fprintf(&b, "        expected %s\n", d.Expected)
	}
	if d.Suggestion != "" {
		fmt.Fprintf(&b, "        %s\n", d.Suggestion)
	}
	return b.String()
}

// renderedWidth is how much of a long line a person is shown, in characters.
const renderedWidth = 160

// window returns the part of the excerpt around the fault, how many characters
// stand before the fault there, and how wide the fault is within it.
func (d *Diagnostic) window() (line string, before, width int) {
	runes := []rune(d.Excerpt)
	before, width = max(d.Place.Column-1, 0), max(d.Width, 1)
	if len(runes) <= renderedWidth {
		return d.Excerpt, before, width
	}
	start := min(max(before-renderedWidth/2, 0), len(runes)-renderedWidth)
	end := start + renderedWidth
	width = min(width, max(end-before, 1))
	line = string(runes[start:end])
	if before -= start; start > 0 {
		line, before = "…"+line, before+1
	}
	if end < len(runes) {
		line += "…"
	}
	return line, before, width
}

// Diagnostics is all that is wrong, in the order of places. As an error it lists
// every one.
type Diagnostics []*Diagnostic

// Error returns one line per diagnostic.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Sort orders by place and drops what says the same of the same place twice.
func (ds Diagnostics) Sort() Diagnostics {
	slices.SortStableFunc(ds, func(a, b *Diagnostic) int { return a.Place.Compare(b.Place) })
	return slices.CompactFunc(ds, func(a, b *Diagnostic) bool {
		return a.Place == b.Place && a.Code == b.Code && a.Message == b.Message
	})
}

// Errors returns those that refuse the schema; nil as an error when there are none.
func (ds Diagnostics) Errors() error {
	var errs Diagnostics
	for _, d := range ds {
		if d.Severity == Error {
			errs = append(errs, d)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// Excerpts returns what gives the line that a place is in, without its end; ""
// when the files do not hold it. Each file is split once, however many places
// are asked for; one goroutine may ask.
func Excerpts(files []File) func(Place) string {
	lines := map[string][]string{}
	return func(p Place) string {
		split, ok := lines[p.File]
		if !ok {
			for _, f := range files {
				if f.Name == p.File {
					split = strings.Split(f.Text, "\n")
					break
				}
			}
			lines[p.File] = split
		}
		if p.Line < 1 || p.Line > len(split) {
			return ""
		}
		return Clip(strings.TrimSuffix(split[p.Line-1], "\r"), p.Column)
	}
}

// maxExcerpt is the longest excerpt, in characters: a hostile file is one line.
const maxExcerpt = 1000

// Clip makes an excerpt of a line: valid UTF-8, and only its beginning where it is
// long; "" when the column is behind that.
func Clip(line string, column int) string {
	if column > maxExcerpt {
		return ""
	}
	line = line[:min(len(line), 4*maxExcerpt)]
	line = strings.ToValidUTF8(line, "\uFFFD")
	if runes := []rune(line); len(runes) > maxExcerpt {
		line = string(runes[:maxExcerpt]) + "…"
	}
	return line
}
