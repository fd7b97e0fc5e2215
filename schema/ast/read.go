package ast

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// read reads the tokens from start up to end by one production of the grammar.
// What cannot be read is reported: what names the piece, form shows how it is
// written.
func read[G any](p *parser, grammar *participle.Parser[G], start, end int, what, form string) (*G, bool) {
	if len(p.diagnostics) >= maxDiagnostics { // refused already: read no more of it
		p.dropped++
		return nil, false
	}
	if end-start > MaxLineTokens {
		p.reportToken(p.at(start), "too_large", fmt.Sprintf("%s has more than %d words and marks", what, MaxLineTokens), "",
			"name parts of it as permissions of their own")
		return nil, false
	}
	tokens := make([]lexer.Token, 0, end-start+1)
	depth := 0
	for _, t := range p.tokens[start:end] {
		switch t.Value {
		case "(", "[", "<":
			if depth++; depth > MaxDepth {
				p.reportToken(t, "too_deep", fmt.Sprintf("%s is nested deeper than %d", what, MaxDepth), "",
					"name parts of it as permissions of their own")
				return nil, false
			}
		case ")", "]", ">":
			depth--
		}
		if t.Type == badToken {
			p.badToken(t)
			return nil, false
		}
		tokens = append(tokens, t)
	}
	tokens = append(tokens, lexer.EOFToken(p.endOf(end-1)))
	stream, err := lexer.Upgrade(&tokenList{tokens})
	if err == nil {
		var rule *G
		if rule, err = grammar.ParseFromLexer(stream); err == nil {
			return rule, true
		}
	}
	p.syntax(err, tokens, what, form)
	return nil, false
}

// badToken says what is wrong with characters that make no token.
func (p *parser) badToken(t lexer.Token) {
	message, suggestion := fmt.Sprintf("%s begins nothing in this language", tokenText(t)), ""
	switch {
	case strings.HasPrefix(t.Value, "/*"):
		message, suggestion = "the comment is not closed", "close it with */"
	case t.Value[0] == '"':
		message, suggestion = "the text is not closed on its line", `close it with "`
	case t.Value[0] == '`':
		message, suggestion = "the quoted name is not closed on its line", "close it with `"
	case t.Value[0] == '{':
		message, suggestion = "the JSON object is not closed", "close it with }"
	case t.Value == "-":
		suggestion = "write except to take away; a name may hold - between letters"
	case t.Value == "/":
		suggestion = "a type's name may hold / between letters; a comment begins with //"
	case t.Value == ".":
		suggestion = "write an arrow: NAME->NAME"
	case t.Value == "+":
		suggestion = "write or"
	case t.Value == "&":
		suggestion = "write and"
	case t.Value == "!":
		suggestion = "write except: a except b"
	}
	p.reportToken(t, "bad_token", message, "", suggestion)
}

// syntax turns an error of the grammar into a diagnostic.
func (p *parser) syntax(err error, tokens []lexer.Token, what, form string) {
	var unexpected *participle.UnexpectedTokenError
	var positioned participle.Error
	end := tokens[len(tokens)-1]
	at, expected := end, ""
	switch {
	case errors.As(err, &unexpected):
		at, expected = unexpected.Unexpected, expectation(unexpected.Message())
	case errors.As(err, &positioned):
		for _, t := range tokens {
			if t.Pos == positioned.Position() {
				at = t
			}
		}
	}
	message := fmt.Sprintf("%s is not expected here, in %s", tokenText(at), what)
	if at.Type == lexer.EOF {
		message = what + " ends too early"
	}
	if hint := p.hint(tokens, at); hint != "" {
		expected = hint
	}
	if expected == "" {
		expected = form
	}
	suggestion := p.advice(tokens, at)
	if suggestion == "" && form != expected {
		suggestion = what + " is written: " + form
	}
	p.reportToken(at, "syntax", message, expected, suggestion)
}

const aTerm = "a term: […], NAME, NAME->NAME, TYPE:ID#NAME, self, nobody or ( … )"

// hint says what relations and permissions expect at a token, where participle
// knows only that several things may stand there.
func (p *parser) hint(tokens []lexer.Token, at lexer.Token) string {
	kind := tokens[0].Value
	if kind != "relation" && kind != "permission" {
		return ""
	}
	mark := map[string]string{"relation": `":"`, "permission": `"="`}[kind]
	var last lexer.Token
	marked := false
	for _, t := range tokens {
		if t.Pos.Offset >= at.Pos.Offset {
			break
		}
		marked = marked || t.Value == ":" || t.Value == "="
		last = t
	}
	switch {
	case !marked && (isName(last) && last.Value != kind || at.Type == objectToken):
		return mark
	case !marked:
		return ""
	}
	switch last.Value {
	case ":", "=", "(", "or", "and", "except":
		return aTerm
	case "[", "|":
		return "a subject: TYPE, TYPE:* or TYPE#NAME"
	case "every":
		return "NAME->NAME behind every"
	}
	return ""
}

// advice says what to write instead of what other languages would have there.
func (p *parser) advice(tokens []lexer.Token, at lexer.Token) string {
	bracket := 0
	var last lexer.Token
	for _, t := range tokens {
		if t.Pos.Offset >= at.Pos.Offset {
			break
		}
		switch t.Value {
		case "[":
			bracket++
		case "]":
			bracket--
		}
		last = t
	}
	switch {
	case isOperator(at.Value):
		return fmt.Sprintf("%s stands between two terms; quote it with backticks where it is a name", at.Value)
	case at.Value == "|" && bracket == 0:
		return "write or between terms; | stands in brackets alone"
	case at.Value == "," && bracket > 0:
		return "write | between the subjects of a bracket"
	case at.Value == "but" || at.Value == "not" || last.Value == "but":
		return "write except"
	case at.Value == "from":
		return "write it as an arrow: RELATION->NAME"
	case at.Type == objectToken && (tokens[0].Value == "relation" || tokens[0].Value == "permission") && isName(last):
		return "put a space behind the colon"
	}
	return ""
}

// expectation takes the mark or kind of token that the grammar expected out of
// participle's message; "" when it is more than one.
func expectation(message string) string {
	_, expected, ok := strings.Cut(message, "(expected ")
	expected = strings.TrimSuffix(expected, ")")
	if !ok || expected == "" {
		return ""
	}
	if expected[0] == '"' {
		if end := strings.IndexByte(expected[1:], '"'); end >= 0 && !strings.Contains(expected[end+2:], "|") {
			return expected[:end+2]
		}
		return ""
	}
	kinds := map[string]string{"(<name> | <quoted>)": "a name", "NameRule": "a name", "ObjectRule": "an object, type:id",
		"StringRule": `a text in double quotes`, "TimeRule": "a time like 2030-01-01T00:00:00Z", "JSONRule": "a JSON object",
		"<object>": "an object, type:id", "<string>": "a text in double quotes", "<time>": "a time like 2030-01-01T00:00:00Z",
		"UsersetRule": "a subject: type:id, type:id#relation or type:*", "TermRule": "a term: […], a name, name->name, type:id#name or ( … )"}
	return kinds[expected]
}

func isOperator(word string) bool { return word == "or" || word == "and" || word == "except" }

// around fills the notes of the piece between two tokens: the comments before
// and inside it, and the one behind it on its last line.
func (p *parser) around(n *Notes, start, end int) {
	n.Blank, n.Before = p.before(start)
	for i := start + 1; i < end; i++ {
		for _, c := range p.notes[i] {
			n.Before = append(n.Before, c.text)
		}
	}
	n.Trail = p.trail(end)
}

// trail takes the comments that stand before token i on the line where the
// token before it ends.
func (p *parser) trail(i int) string {
	var texts []string
	for _, c := range p.notes[i] {
		if c.own {
			break
		}
		texts = append(texts, c.text)
	}
	return strings.Join(texts, " ")
}

// before takes the comments on lines of their own before token i, with the blank
// lines among them, and whether a blank line stands before them all.
func (p *parser) before(i int) (blank bool, comments []string) {
	last := 0
	if i > 0 {
		last = p.endOf(i - 1).Line
	}
	own := p.notes[i]
	for len(own) > 0 && !own[0].own && i > 0 {
		last, own = own[0].end, own[1:]
	}
	gap := func(line int) {
		if line <= last+1 {
			return
		}
		if len(comments) == 0 {
			blank = true
		} else {
			comments = append(comments, "")
		}
	}
	for _, c := range own {
		gap(c.line)
		comments = append(comments, c.text)
		last = c.end
	}
	if t := p.at(i); t.Type != lexer.EOF && t.Value != "}" {
		gap(t.Pos.Line)
	}
	return blank, comments
}
