package ast

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// The kinds of tokens. The lexer has three states: the language itself, the CEL
// body of a condition and a JSON object, which are each one token.
const (
	nameToken    lexer.TokenType = iota + 1 // viewer, test/user, 12
	quotedToken                             // `or`
	objectToken                             // user:ana, user:`a,b`, user:*
	stringToken                             // "text"
	timeToken                               // 2030-01-01T00:00:00Z
	punctToken                              // { } ( ) [ ] | , = : # @ ? < > ->
	celToken                                // between the braces of a condition
	jsonToken                               // {"a": 1} behind with
	commentToken                            // // /* */ ///
	badToken                                // what no token begins with, or an unfinished one
)

// definition is the lexer as participle's grammar wants it: the names of tokens.
// The parser hands it tokens that scan has made.
type definition struct{}

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Name": nameToken, "Quoted": quotedToken, "Object": objectToken, "String": stringToken,
		"Time": timeToken, "Punct": punctToken, "CEL": celToken, "JSON": jsonToken, "Comment": commentToken, "Bad": badToken,
	}
}

func (definition) Lex(filename string, r io.Reader) (lexer.Lexer, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return &tokenList{tokens: scan(filename, string(text))}, nil
}

// tokenList hands tokens to participle; behind the last comes an end at its end.
type tokenList struct{ tokens []lexer.Token }

func (l *tokenList) Next() (lexer.Token, error) {
	if len(l.tokens) == 0 {
		return lexer.EOFToken(lexer.Position{}), nil
	}
	t := l.tokens[0]
	l.tokens = l.tokens[1:]
	return t, nil
}

// scanner turns the text of a file into tokens. It never fails: what it cannot
// read becomes a badToken for the parser to report.
type scanner struct {
	text   string
	pos    lexer.Position
	tokens []lexer.Token
	recent [2]lexer.Token // the last two significant tokens, the last one first: they decide the state
	params int            // depth of parentheses in the head of a condition
	cel    bool           // the next { opens a CEL body
}

// scan returns the tokens of a text, comments included, ending in one of type EOF.
func scan(filename, text string) []lexer.Token {
	s := &scanner{text: text, pos: lexer.Position{Filename: filename, Line: 1, Column: 1}, tokens: make([]lexer.Token, 0, len(text)/5)}
	for s.skipSpace(); s.pos.Offset < len(s.text); s.skipSpace() {
		s.token()
	}
	return append(s.tokens, lexer.EOFToken(s.pos))
}

func (s *scanner) rest() string { return s.text[s.pos.Offset:] }

func (s *scanner) skipSpace() {
	rest := s.rest()
	trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace)
	s.pos.Advance(rest[:len(rest)-len(trimmed)])
}

func (s *scanner) emit(kind lexer.TokenType, length int) {
	t := lexer.Token{Type: kind, Value: s.rest()[:length], Pos: s.pos}
	s.tokens = append(s.tokens, t)
	s.pos.Advance(t.Value)
	if kind != commentToken {
		s.recent = [2]lexer.Token{t, s.recent[0]}
	}
}

// before says whether the n-th last significant token is a word or mark.
func (s *scanner) before(n int, value string) bool {
	return s.recent[n-1].Value == value
}

func (s *scanner) token() {
	rest := s.rest()
	switch c := rest[0]; {
	case strings.HasPrefix(rest, "//"):
		s.emit(commentToken, lineLength(rest))
	case strings.HasPrefix(rest, "/*"):
		if end := strings.Index(rest[2:], "*/"); end >= 0 {
			s.emit(commentToken, end+4)
		} else {
			s.emit(badToken, len(rest))
		}
	case c == '"':
		s.emit(quoted(rest, stringToken))
	case c == '`':
		s.quotedName(rest)
	case isNameByte(c):
		s.word(rest)
	case c == '{' && s.cel:
		s.cel = false
		s.emit(punctToken, 1)
		s.emit(celToken, celLength(s.rest()))
	case c == '{' && s.behindWith():
		if length := jsonLength(rest); length > 0 {
			s.emit(jsonToken, length)
		} else {
			s.emit(badToken, lineLength(rest))
		}
	case strings.HasPrefix(rest, "->"):
		s.emit(punctToken, 2)
	case strings.IndexByte("{}()[]|,=:#@?<>", c) >= 0:
		s.bracket(c)
		s.emit(punctToken, 1)
	default:
		_, size := utf8.DecodeRuneInString(rest)
		s.emit(badToken, size)
	}
}

// bracket follows the head of a condition: condition NAME ( … ) { CEL }.
func (s *scanner) bracket(c byte) {
	switch {
	case c == '(' && s.params == 0 && s.before(2, "condition") && s.recent[0].Type <= quotedToken && !isOperator(s.recent[0].Value):
		s.params = 1
	case c == '(' && s.params > 0:
		s.params++
	case c == ')' && s.params > 0:
		s.params--
		s.cel = s.params == 0
	case c == '{' || c == '}': // a condition that was not closed
		s.params, s.cel = 0, false
	}
}

// behindWith says whether a { here opens JSON: with {…} or with NAME {…}.
func (s *scanner) behindWith() bool {
	return s.before(1, "with") && !s.before(2, "type") && !s.before(2, "on") ||
		s.before(2, "with") && s.recent[0].Type <= quotedToken
}

// word reads a name, or what begins with one: an object or a time.
func (s *scanner) word(rest string) {
	length := nameLength(rest)
	if length > 10 && looksLikeTime(rest) {
		end := strings.IndexFunc(rest, func(r rune) bool {
			return !(r < utf8.RuneSelf && isNameByte(byte(r))) && !strings.ContainsRune(":.+-", r)
		})
		if end < 0 {
			end = len(rest)
		}
		s.emit(timeToken, end)
		return
	}
	if s.params == 0 && strings.HasPrefix(rest[length:], ":") {
		if id := idLength(rest[length+1:]); id > 0 {
			s.emit(objectToken, length+1+id)
			return
		}
	}
	s.cel = false
	s.emit(nameToken, length)
}

// quotedName reads `name`, or `type`:id.
func (s *scanner) quotedName(rest string) {
	kind, length := quoted(rest, quotedToken)
	if kind == quotedToken && s.params == 0 && strings.HasPrefix(rest[length:], ":") {
		if id := idLength(rest[length+1:]); id > 0 {
			s.emit(objectToken, length+1+id)
			return
		}
	}
	s.emit(kind, length)
}

func looksLikeTime(rest string) bool {
	if len(rest) < 11 || rest[4] != '-' || rest[7] != '-' || rest[10] != 'T' && rest[10] != 't' {
		return false
	}
	for i := 0; i < 10; i++ {
		if i != 4 && i != 7 && (rest[i] < '0' || rest[i] > '9') {
			return false
		}
	}
	return true
}

// quoted measures a text between two of its first byte, on one line. Between
// double quotes a backslash escapes; between backticks two stand for one.
func quoted(rest string, kind lexer.TokenType) (lexer.TokenType, int) {
	mark := rest[0]
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\n':
			return badToken, i
		case rest[i] == '\\' && mark == '"':
			i++
		case rest[i] == mark && mark == '`' && i+1 < len(rest) && rest[i+1] == '`':
			i++
		case rest[i] == mark:
			return kind, i + 1
		}
	}
	return badToken, len(rest)
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// nameLength measures a name: inner - and / are part of it, so that a->b and
// a // comment end it.
func nameLength(rest string) int {
	i := 0
	for i < len(rest) {
		switch {
		case isNameByte(rest[i]):
			i++
		case rest[i] == '/' && i+1 < len(rest) && isNameByte(rest[i+1]):
			i += 2
		case rest[i] == '-':
			j := i
			for j < len(rest) && rest[j] == '-' {
				j++
			}
			if j == len(rest) || !isNameByte(rest[j]) {
				return i
			}
			i = j
		default:
			return i
		}
	}
	return i
}

// isIDRune says whether a character may stand in an id without backticks.
func isIDRune(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsControl(r) && r != utf8.RuneError && !strings.ContainsRune(":#,;|(){}[]\"'`", r)
}

func idLength(rest string) int {
	if strings.HasPrefix(rest, "`") {
		if kind, length := quoted(rest, quotedToken); kind == quotedToken {
			return length
		}
		return 0
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return !isIDRune(r) })
	if end < 0 {
		return len(rest)
	}
	return end
}

func lineLength(rest string) int {
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		return end
	}
	return len(rest)
}
