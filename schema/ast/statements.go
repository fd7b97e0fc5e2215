package ast

import (
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema/source"
)

// test reads a test with its statements.
func (p *parser) test() Decl {
	start := p.i
	end := p.head(start)
	t := &Test{Place: p.place(p.at(start).Pos)}
	rule, ok := read(p, testParser, start, end, "the test", `test "name" { … }`)
	if ok {
		t.Name = p.text(&rule.Name)
	}
	p.i = end
	if !p.is(end, "{") {
		p.around(&t.Notes, start, end)
		if ok {
			p.report(p.endOf(end-1), 1, "syntax", "the test needs a body", `"{"`, "")
		}
		return t
	}
	t.Blank, t.Before = p.before(start)
	for i := start + 1; i <= end; i++ {
		t.Before = appendTexts(t.Before, p.notes[i])
	}
	t.Open, t.End, t.Trail = p.block(start, statementBegins, func(a, b int) {
		if s := p.statement(a, b); s != nil {
			t.Statements = append(t.Statements, s)
		}
	})
	return t
}

var statementWords = []string{"given", "allow", "deny", "conditional", "only"}

// statementBegins says whether a statement of a test begins at token i.
func statementBegins(p *parser, i, _ int) bool {
	t := p.at(i)
	if t.Type != nameToken {
		return false
	}
	for _, word := range statementWords {
		if t.Value == word {
			return p.at(i+1).Type == objectToken || p.firstOnLine(i) && !p.awaitsName(i)
		}
	}
	return p.strays(i)
}

// statement reads the line of a test between two tokens; nil when it cannot.
func (p *parser) statement(start, end int) Statement {
	t := p.at(start)
	var s Statement
	switch {
	case t.Type == nameToken && t.Value == "given":
		rule, ok := read(p, givenParser, start, end, "the tuple",
			"given type:id#relation@subject [ with condition {json} ] [ until time ]")
		if !ok {
			return nil
		}
		s = p.given(rule, p.place(t.Pos))
	case t.Type == nameToken && slices.Contains(statementWords, t.Value):
		rule, ok := read(p, assertParser, start, end, "the assertion",
			t.Value+" SUBJECT, … to NAME, … on OBJECT, … [ with {json} ] [ at TIME ] [ missing NAME, … ]")
		if !ok {
			return nil
		}
		s = p.assert(rule, p.place(t.Pos))
	default:
		p.reportToken(t, "syntax", fmt.Sprintf("%s begins no line of a test", tokenText(t)),
			"given, allow, deny, conditional, only or }", source.DidYouMean(t.Value, statementWords))
		return nil
	}
	p.around(s.Comments(), start, end)
	return s
}
