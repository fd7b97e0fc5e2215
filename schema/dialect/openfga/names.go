package openfga

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// TypeName returns the name that a type of OpenFGA has in Pemba: the same, unless
// it holds characters that Pemba's names cannot, like the dot of "acme.user".
// Tuples are renamed the same way.
func TypeName(text string) string { return rename(text, "/-") }

// RelationName does so for a relation; there a slash cannot stay either.
func RelationName(text string) string { return rename(text, "-") }

// ConditionName does so for a condition.
func ConditionName(text string) string { return rename(text, "-") }

// spelled says how characters that cannot stay are written.
var spelled = map[rune]string{'.': "dot", '/': "slash", '-': "dash", '|': "bar", '+': "plus", '=': "is", '$': "dollar", '&': "and"}

// rename spells the characters of a name that Pemba's names cannot hold. Those
// in inner may stand between others.
func rename(text, inner string) string {
	var b strings.Builder
	for i, r := range text {
		last := i+utf8.RuneLen(r) == len(text)
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			b.WriteRune(r)
		case strings.ContainsRune(inner, r) && i > 0 && !last && !strings.ContainsRune(inner, rune(text[i+1])):
			b.WriteRune(r)
		default:
			word, ok := spelled[r]
			if !ok {
				word = fmt.Sprintf("u%x", r)
			}
			if s := b.String(); s != "" && !strings.HasSuffix(s, "_") && !strings.HasSuffix(s, "/") {
				b.WriteByte('_')
			}
			b.WriteString(word)
			if !last {
				b.WriteByte('_')
			}
		}
	}
	return b.String()
}
