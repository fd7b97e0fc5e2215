package dialect

import (
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
)

// CELLength returns how many bytes of text stand before the brace that closes an
// expression of CEL, and whether there is one. Braces inside strings and
// comments do not count.
func CELLength(text string) (length int, closed bool) {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			stop := strings.IndexByte(text[i:], '\n')
			if stop < 0 {
				return len(text), false
			}
			i += stop
		case c == '"' || c == '\'':
			i += stringLength(text, i)
		case c == '{':
			depth++
			i++
		case c == '}' && depth == 0:
			return i, true
		case c == '}':
			depth--
			i++
		default:
			i++
		}
	}
	return len(text), false
}

// stringLength returns how many bytes the string that opens at i takes. One that
// does not close ends with its line, or, in triple quotes, with the text.
func stringLength(text string, i int) int {
	raw := isRaw(text, i)
	quote := text[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(text[i:], triple) {
		quote = triple
	}
	for j := i + len(quote); j < len(text); j++ {
		switch {
		case strings.HasPrefix(text[j:], quote):
			return j + len(quote) - i
		case text[j] == '\\' && !raw:
			j++
		case text[j] == '\n' && len(quote) == 1:
			return j - i
		}
	}
	return len(text) - i
}

// isRaw says whether the quote at i opens a string with the prefix r.
func isRaw(text string, i int) bool {
	begin := i
	for begin > 0 && strings.IndexByte("rRbB", text[begin-1]) >= 0 {
		begin--
	}
	before := byte(' ')
	if begin > 0 {
		before = text[begin-1]
	}
	return !isIdent(before) && strings.ContainsAny(text[begin:i], "rR")
}

// CELWord is an identifier of an expression that is not a field behind a dot,
// with its offset in bytes. Called says that a parenthesis follows.
type CELWord struct {
	Text   string
	Offset int
	Field  bool // it stands behind a dot: a field or a method
	Called bool
}

// CELWords returns the identifiers of an expression, without those in strings
// and comments.
func CELWords(text string) []CELWord {
	var words []CELWord
	dotted := false
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			stop := strings.IndexByte(text[i:], '\n')
			if stop < 0 {
				return words
			}
			i += stop
		case c == '"' || c == '\'':
			i += stringLength(text, i)
			dotted = false
		case isIdent(c) && (c < '0' || c > '9'):
			begin := i
			for i < len(text) && isIdent(text[i]) {
				i++
			}
			if i < len(text) && (text[i] == '"' || text[i] == '\'') && strings.Trim(text[begin:i], "rRbB") == "" {
				continue // the prefix of a string
			}
			rest := strings.TrimLeft(text[i:], " \t\r\n")
			words = append(words, CELWord{Text: text[begin:i], Offset: begin, Field: dotted, Called: strings.HasPrefix(rest, "(")})
			dotted = false
		case isIdent(c):
			for i < len(text) && (isIdent(text[i]) || text[i] == '.') {
				i++
			}
			dotted = false
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		default:
			dotted = c == '.'
			i++
		}
	}
	return words
}

func isIdent(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// Inside returns the place of a byte of a text that begins at a place.
func Inside(begin source.Place, text string, offset int) source.Place {
	before := text[:offset]
	line := strings.Count(before, "\n")
	if line == 0 {
		begin.Column += utf8.RuneCountInString(before)
		return begin
	}
	begin.Line += line
	begin.Column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return begin
}

// CELBranches says whether an expression may be decided without reading all of
// it: it holds an operator or a macro that stops early.
func CELBranches(text string) bool {
	for _, word := range CELWords(text) {
		if word.Field && word.Called && (word.Text == "all" || word.Text == "exists" || word.Text == "exists_one") {
			return true
		}
	}
	for i := 0; i < len(text); {
		switch {
		case strings.HasPrefix(text[i:], "//"):
			stop := strings.IndexByte(text[i:], '\n')
			if stop < 0 {
				return false
			}
			i += stop
		case text[i] == '"' || text[i] == '\'':
			i += stringLength(text, i)
		case text[i] == '?' || strings.HasPrefix(text[i:], "||") || strings.HasPrefix(text[i:], "&&"):
			return true
		default:
			i++
		}
	}
	return false
}
