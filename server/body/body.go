// Package body reads and writes the JSON of checks and batches by hand: with
// reflection, their text costs several times the check.
//
// Its readers take the plain form alone, which nearly every request has, and
// understand it exactly as the general decoder does. Whatever else there is
// (contexts, contextual tuples, instants, escapes, and everything that is wrong)
// they do not take: the caller hands it to the general decoder, which alone says
// what is meant and what is at fault. The writers append what the general
// encoder would. Tests hold both to it.
package body

import (
	"strings"
	"time"
	"unicode/utf8"
)

// scanner reads JSON text. Its methods return false where the text is not of the
// plain form; nothing is to be read then.
type scanner struct {
	text string
	at   int
}

// skip passes over white space.
func (s *scanner) skip() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return
		}
	}
}

// take reads a byte that must come next, white space aside.
func (s *scanner) take(c byte) bool {
	s.skip()
	if s.at == len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// end says whether nothing follows.
func (s *scanner) end() bool {
	s.skip()
	return s.at == len(s.text)
}

// string reads a string without escapes; it shares the text's memory.
func (s *scanner) string() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	ascii := true
	for i := s.at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			out := s.text[s.at:i]
			s.at = i + 1
			return out, ascii || utf8.ValidString(out)
		case c == '\\' || c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// into reads a string without escapes.
func (s *scanner) into(out *string) (ok bool) {
	*out, ok = s.string()
	return ok
}

// object reads an object. The function reads the value of each member, and
// refuses names that it does not know or has had.
func (s *scanner) object(member func(name string) bool) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.string()
		if !ok || !s.take(':') || !member(name) {
			return false
		}
		if s.take('}') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// list reads a list; the function reads each element.
func (s *scanner) list(element func() bool) bool {
	if !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !element() {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// boolean reads true or false.
func (s *scanner) boolean(out *bool) bool {
	s.skip()
	rest := s.text[s.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		s.at, *out = s.at+len("true"), true
	case strings.HasPrefix(rest, "false"):
		s.at, *out = s.at+len("false"), false
	default:
		return false
	}
	return true
}

// instant reads a time in UTC, as Pemba writes it.
func (s *scanner) instant(out *time.Time) bool {
	text, ok := s.string()
	return ok && len(text) > 0 && text[len(text)-1] == 'Z' && out.UnmarshalText([]byte(text)) == nil
}

// members are those of an object that have been read, a bit each.
type members uint8

// once notes a member and says whether it is the first of its name.
func (m *members) once(bit members) bool {
	first := *m&bit == 0
	*m |= bit
	return first
}
