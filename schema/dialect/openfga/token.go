package openfga

import (
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// kind tells tokens apart. Punctuation is its own kind: the character.
type kind rune

const (
	end     kind = -1 - iota
	newline      // the end of a line
	word         // a name or a keyword
	comment      // # to the end of the line; text is without the mark
	body         // what stands between the braces of a condition
	foreign      // a character that means nothing here
)

// token is one token of the DSL.
type token struct {
	kind  kind
	text  string
	place source.Place
	alone bool // comment: nothing else stands on its line
}

// width returns how many characters the token takes in its line.
func (t token) width() int {
	if t.kind == newline || t.kind == end {
		return 1
	}
	return max(utf8.RuneCountInString(t.text), 1)
}

// found names the token in a message.
func (t token) found() string {
	switch t.kind {
	case end:
		return "end of the file"
	case newline:
		return "end of the line"
	case comment:
		return "comment"
	default:
		return "\"" + tuple.Clip(t.text) + "\""
	}
}

// scanner cuts a file into tokens. The DSL is one of lines: a line's end is a
// token, and # begins a comment only at the start of a line or behind white space
// (group#member has none before it).
type scanner struct {
	dialect.Cursor
	tokens []token
	// inCondition is set from the word condition to the brace that opens its
	// expression: what that holds is CEL, not DSL.
	inCondition bool
}

// scan returns all tokens of a file; the last one is end. Braces that never
// close are reported.
func scan(f source.File, report *dialect.Reporter) []token {
	s := &scanner{Cursor: dialect.NewCursor(f)}
	for s.Offset < len(s.Text) {
		s.next(report)
	}
	s.add(end, "", s.Place())
	return s.tokens
}

func (s *scanner) add(k kind, text string, at source.Place) {
	s.tokens = append(s.tokens, token{kind: k, text: text, place: at})
}

func (s *scanner) next(report *dialect.Reporter) {
	c := s.Text[s.Offset]
	at := s.Place()
	switch {
	case c == '\n':
		s.add(newline, "\n", at)
		s.Offset++
		s.BeginLine(s.Offset)
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		s.Offset++
	case c == '#' && s.beginsComment():
		s.comment(at)
	case isWord(c):
		begin := s.Offset
		for s.Offset < len(s.Text) && isWord(s.Text[s.Offset]) {
			s.Offset++
		}
		s.add(word, s.Text[begin:s.Offset], at)
		s.inCondition = s.inCondition || s.Text[begin:s.Offset] == "condition" && s.startsLine()
	case c == '{' && s.inCondition:
		s.add('{', "{", at)
		s.Offset++
		s.body(at, report)
		s.inCondition = false
	case strings.IndexByte(":,[](){}#*<>", c) >= 0:
		s.add(kind(c), string(c), at)
		s.Offset++
	default:
		_, size := utf8.DecodeRuneInString(s.Text[s.Offset:])
		s.add(foreign, s.Text[s.Offset:s.Offset+size], at)
		s.Offset += size
	}
}

// startsLine says whether the last token is the first of its line.
func (s *scanner) startsLine() bool {
	n := len(s.tokens)
	return n == 1 || n > 1 && s.tokens[n-2].kind == newline
}

func (s *scanner) beginsComment() bool {
	return s.Offset == 0 || strings.IndexByte(" \t\r\f\n", s.Text[s.Offset-1]) >= 0
}

func (s *scanner) comment(at source.Place) {
	stop := strings.IndexByte(s.Text[s.Offset:], '\n')
	if stop < 0 {
		stop = len(s.Text) - s.Offset
	}
	n := len(s.tokens)
	s.add(comment, strings.TrimRight(s.Text[s.Offset+1:s.Offset+stop], " \t\r"), at)
	s.tokens[n].alone = n == 0 || s.tokens[n-1].kind == newline
	s.Offset += stop
}

// body takes everything up to the brace that closes a condition, aware of CEL's
// strings and comments.
func (s *scanner) body(open source.Place, report *dialect.Reporter) {
	at := s.Place()
	text, closed := s.CEL()
	s.add(body, text, at)
	if !closed {
		report.Expected(open, 1, "end of the file", "a } that closes the condition's expression")
		return
	}
	s.add('}', "}", s.Place())
	s.Offset++
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/'
}
