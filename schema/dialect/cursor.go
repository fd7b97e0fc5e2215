package dialect

import (
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
)

// Cursor is where a scanner stands in a file. It counts lines and columns in one
// pass, so scanners stay linear.
type Cursor struct {
	Text   string
	Offset int // of the next byte

	file    string
	line    int
	column  int // characters of the line before counted
	counted int // the offset up to which column counts
}

// NewCursor stands at the beginning of a file.
func NewCursor(f source.File) Cursor { return Cursor{Text: f.Text, file: f.Name, line: 1} }

// Place returns the place of the offset, which only grows from call to call.
func (c *Cursor) Place() source.Place {
	c.column += utf8.RuneCountInString(c.Text[c.counted:c.Offset])
	c.counted = c.Offset
	return source.Place{File: c.file, Line: c.line, Column: c.column + 1}
}

// BeginLine says that another line begins at an offset.
func (c *Cursor) BeginLine(offset int) {
	c.line++
	c.counted, c.column = offset, 0
}

// CEL passes over the expression of a condition, behind the brace that opens it,
// and returns its text; closed says that the brace that closes it follows.
func (c *Cursor) CEL() (text string, closed bool) {
	begin := c.Offset
	length, closed := CELLength(c.Text[begin:])
	c.Offset += length
	for i := begin; i < c.Offset; i++ {
		if c.Text[i] == '\n' {
			c.BeginLine(i + 1)
		}
	}
	return c.Text[begin:c.Offset], closed
}
