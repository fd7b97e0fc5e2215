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
	text    string
	file    string
	offset  int
	line    int
	start   int // offset of the line's first byte
	column  int // characters of the line before counted
	counted int // the offset up to which column counts
	tokens  []token
	// inCondition is set from the word condition to the brace that opens its
	// expression: what that holds is CEL, not DSL.
	inCondition bool
}

// scan returns all tokens of a file; the last one is end. Braces that never
// close are reported.
func scan(f source.File, report *dialect.Reporter) []token {
	s := &scanner{text: f.Text, file: f.Name, line: 1}
	for s.offset < len(s.text) {
		s.next(report)
	}
	s.add(end, "", s.place())
	return s.tokens
}

func (s *scanner) place() source.Place {
	s.column += utf8.RuneCountInString(s.text[s.counted:s.offset])
	s.counted = s.offset
	return source.Place{File: s.file, Line: s.line, Column: s.column + 1}
}

func (s *scanner) add(k kind, text string, at source.Place) {
	s.tokens = append(s.tokens, token{kind: k, text: text, place: at})
}

func (s *scanner) next(report *dialect.Reporter) {
	c := s.text[s.offset]
	at := s.place()
	switch {
	case c == '\n':
		s.add(newline, "\n", at)
		s.breakLine()
	case c == ' ' || c == '\t' || c == '\r' || c == '\f':
		s.offset++
	case c == '#' && s.beginsComment():
		s.comment(at)
	case isWord(c):
		begin := s.offset
		for s.offset < len(s.text) && isWord(s.text[s.offset]) {
			s.offset++
		}
		s.add(word, s.text[begin:s.offset], at)
		s.inCondition = s.inCondition || s.text[begin:s.offset] == "condition" && s.startsLine()
	case c == '{' && s.inCondition:
		s.add('{', "{", at)
		s.offset++
		s.body(at, report)
		s.inCondition = false
	case strings.IndexByte(":,[](){}#*<>", c) >= 0:
		s.add(kind(c), string(c), at)
		s.offset++
	default:
		_, size := utf8.DecodeRuneInString(s.text[s.offset:])
		s.add(foreign, s.text[s.offset:s.offset+size], at)
		s.offset += size
	}
}

func (s *scanner) breakLine() {
	s.offset++
	s.line++
	s.lineFrom(s.offset)
}

// lineFrom begins a line at an offset.
func (s *scanner) lineFrom(offset int) { s.start, s.counted, s.column = offset, offset, 0 }

// startsLine says whether the last token is the first of its line.
func (s *scanner) startsLine() bool {
	n := len(s.tokens)
	return n == 1 || n > 1 && s.tokens[n-2].kind == newline
}

func (s *scanner) beginsComment() bool {
	return s.offset == s.start || strings.IndexByte(" \t\r\f", s.text[s.offset-1]) >= 0
}

func (s *scanner) comment(at source.Place) {
	stop := strings.IndexByte(s.text[s.offset:], '\n')
	if stop < 0 {
		stop = len(s.text) - s.offset
	}
	n := len(s.tokens)
	s.add(comment, strings.TrimRight(s.text[s.offset+1:s.offset+stop], " \t\r"), at)
	s.tokens[n].alone = n == 0 || s.tokens[n-1].kind == newline
	s.offset += stop
}

// body takes everything up to the brace that closes a condition, aware of CEL's
// strings and comments.
func (s *scanner) body(open source.Place, report *dialect.Reporter) {
	begin, at := s.offset, s.place()
	length, closed := dialect.CELLength(s.text[begin:])
	text := s.text[begin : begin+length]
	s.add(body, text, at)
	for i := range len(text) {
		if text[i] == '\n' {
			s.line++
			s.lineFrom(begin + i + 1)
		}
	}
	s.offset = begin + length
	if !closed {
		report.Expected(open, 1, "end of the file", "a } that closes the condition's expression")
		return
	}
	s.add('}', "}", s.place())
	s.offset++
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/'
}
