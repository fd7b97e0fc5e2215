package spicedb

import (
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

type kind rune

const (
	end        kind = -1 - iota
	terminator      // a semicolon, or the end of a line that could end a statement
	word            // a name or a keyword
	quoted          // "path"
	arrow           // ->
	ellipsis        // ...
	comment         // text is without the marks
	body            // what stands between the braces of a caveat
	foreign         // a character that means nothing here
)

// token is one token of the language.
type token struct {
	kind  kind
	text  string
	place source.Place
	alone bool // comment: nothing else stands before it on its line
	until int  // comment: the line that it ends in
}

func (t token) width() int {
	if t.kind == terminator || t.kind == end {
		return 1
	}
	return max(utf8.RuneCountInString(t.text), 1)
}

// found names the token in a message.
func (t token) found() string {
	switch t.kind {
	case end:
		return "end of the file"
	case terminator:
		return "end of the statement"
	default:
		return "\"" + tuple.Clip(t.text) + "\""
	}
}

// scanner cuts a file into tokens. The end of a line ends a statement when the
// token before it could end one.
type scanner struct {
	dialect.Cursor
	tokens []token
	last   kind // of the last token that is no comment
	// inCaveat is set from the word caveat to the brace that opens its
	// expression: what that holds is CEL.
	inCaveat bool
}

func scan(f source.File, report *dialect.Reporter) []token {
	s := &scanner{Cursor: dialect.NewCursor(f), last: terminator}
	for s.Offset < len(s.Text) {
		s.next(report)
	}
	s.endStatement(s.Place())
	s.add(end, "", s.Place())
	return s.tokens
}

func (s *scanner) add(k kind, text string, at source.Place) {
	s.tokens = append(s.tokens, token{kind: k, text: text, place: at})
	if k != comment {
		s.last = k
	}
}

// endStatement adds a terminator where the last token could end a statement.
func (s *scanner) endStatement(at source.Place) {
	switch s.last {
	case word, quoted, ellipsis, '}', ')', '*', '>':
		s.add(terminator, "\n", at)
	}
}

func (s *scanner) next(report *dialect.Reporter) {
	c, rest, at := s.Text[s.Offset], s.Text[s.Offset:], s.Place()
	switch {
	case c == '\n':
		s.endStatement(at)
		s.Offset++
		s.BeginLine(s.Offset)
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		s.Offset++
	case strings.HasPrefix(rest, "//"):
		s.lineComment(rest, at)
	case strings.HasPrefix(rest, "/*"):
		s.blockComment(rest, at, report)
	case isLetter(c):
		n := 1
		for n < len(rest) && (isLetter(rest[n]) || rest[n] >= '0' && rest[n] <= '9') {
			n++
		}
		s.take(word, n, at)
		s.inCaveat = s.inCaveat || rest[:n] == "caveat" && s.startsDeclaration()
	case c == '"' || c == '\'':
		s.quoted(rest, at, report)
	case c == '{' && s.inCaveat:
		s.take('{', 1, at)
		s.inCaveat = false
		s.body(at, report)
	case strings.HasPrefix(rest, "->"):
		s.take(arrow, 2, at)
	case strings.HasPrefix(rest, "..."):
		s.take(ellipsis, 3, at)
	case c == ';':
		s.take(terminator, 1, at)
	case strings.IndexByte("{}()[]:=|#*+-&/,.<>@", c) >= 0:
		s.take(kind(c), 1, at)
	default:
		_, size := utf8.DecodeRuneInString(rest)
		s.take(foreign, size, at)
	}
}

func (s *scanner) take(k kind, length int, at source.Place) {
	s.add(k, s.Text[s.Offset:s.Offset+length], at)
	s.Offset += length
}

// startsDeclaration says whether the last token begins a declaration.
func (s *scanner) startsDeclaration() bool {
	for i := len(s.tokens) - 2; i >= 0; i-- {
		if k := s.tokens[i].kind; k != comment {
			return k == terminator || k == '}'
		}
	}
	return true
}

func (s *scanner) lineComment(rest string, at source.Place) {
	length := strings.IndexByte(rest, '\n')
	if length < 0 {
		length = len(rest)
	}
	s.comment(strings.TrimPrefix(rest[2:length], "/"), at)
	s.Offset += length
}

// comment adds one line of a comment. It documents what follows when nothing
// stands before it on its line.
func (s *scanner) comment(text string, at source.Place) {
	n := len(s.tokens)
	alone := n == 0 || s.tokens[n-1].place.Line < at.Line || s.tokens[n-1].kind == comment && s.tokens[n-1].alone
	s.add(comment, strings.TrimRight(text, " \t\r"), at)
	s.tokens[n].alone, s.tokens[n].until = alone, at.Line
}

// blockComment adds a comment for every line of a block, without the stars that
// lead its lines.
func (s *scanner) blockComment(rest string, at source.Place, report *dialect.Reporter) {
	length := strings.Index(rest[2:], "*/")
	if length < 0 {
		report.Expected(at, 2, "end of the file", "*/ that closes the comment")
		s.Offset = len(s.Text)
		return
	}
	text := rest[2 : 2+length]
	lines := strings.Split(strings.TrimPrefix(text, "*"), "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		line = strings.TrimPrefix(line, "*")
		if line == "" && (i == 0 || i == len(lines)-1) {
			continue
		}
		s.comment(line, source.Place{File: at.File, Line: at.Line + i, Column: at.Column})
		s.tokens[len(s.tokens)-1].until = at.Line + min(i+1, len(lines)-1)
	}
	begin := s.Offset
	s.Offset += length + 4
	for i := begin; i < s.Offset; i++ {
		if s.Text[i] == '\n' {
			s.endStatement(at)
			s.BeginLine(i + 1)
		}
	}
}

func (s *scanner) quoted(rest string, at source.Place, report *dialect.Reporter) {
	length := strings.IndexByte(rest[1:], rest[0])
	if newline := strings.IndexByte(rest, '\n'); length < 0 || newline >= 0 && newline <= length {
		report.Expected(at, 1, "a string that does not close", "the quote that closes it, on the same line")
		s.take(foreign, 1, at)
		return
	}
	s.add(quoted, rest[1:length+1], at)
	s.Offset += length + 2
}

// body takes everything up to the brace that closes a caveat.
func (s *scanner) body(open source.Place, report *dialect.Reporter) {
	at := s.Place()
	text, closed := s.CEL()
	s.add(body, text, at)
	if !closed {
		report.Expected(open, 1, "end of the file", "a } that closes the caveat's expression")
		return
	}
	s.take('}', 1, s.Place())
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
