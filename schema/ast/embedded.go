package ast

import "strings"

// celLength measures a CEL expression up to the brace that closes it, or to the
// end of the text. Braces in CEL's strings and comments do not count.
func celLength(text string) int {
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "//"):
			i += lineLength(text[i:])
		case c == '"' || c == '\'':
			i += celString(text[i:], isRaw(text[:i]))
		case c == '{':
			depth++
			i++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
			i++
		default:
			i++
		}
	}
	return len(text)
}

// isRaw says whether a string that begins behind text is raw: r"…", rb'…', Br"""…""".
func isRaw(text string) bool {
	start := len(text)
	for start > 0 && isNameByte(text[start-1]) {
		start--
	}
	switch strings.ToLower(text[start:]) {
	case "r", "rb", "br":
		return true
	}
	return false
}

// celString measures a string of CEL with its quotes. An unfinished one ends
// with its line, or where it is triple-quoted with the text.
func celString(text string, raw bool) int {
	mark := text[:1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(text, triple) {
		mark = triple
	}
	for i := len(mark); i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], mark):
			return i + len(mark)
		case text[i] == '\\' && !raw:
			i++
		case text[i] == '\n' && len(mark) == 1:
			return i
		}
	}
	return len(text)
}

// maxJSONLines bounds the search for the end of a JSON object, so that many
// unclosed ones do not each read the file to its end.
const maxJSONLines = 200

// jsonLength measures a JSON object, 0 when it is not closed.
func jsonLength(text string) int {
	depth, lines := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			if lines++; lines > maxJSONLines {
				return 0
			}
		case '"':
			kind, length := quoted(text[i:], stringToken)
			if kind != stringToken {
				return 0
			}
			i += length - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
