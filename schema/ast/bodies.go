package ast

import (
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
	"github.com/pemba-authz/pemba/schema/source"
)

// head returns where the head of a declaration with a body ends: at its { or,
// when it has none, at the next declaration.
func (p *parser) head(start int) int {
	for i := start + 1; ; i++ {
		if p.at(i).Type == lexer.EOF || p.is(i, "{") || p.begins(i, start) {
			return min(i, len(p.tokens)-1)
		}
	}
}

func (p *parser) typeDeclaration() Decl {
	start := p.i
	end := p.head(start)
	t := &Type{Place: p.place(p.at(start).Pos)}
	ok := true
	if p.is(start, "extend") {
		t.Kind = Extend
	}
	if p.is(start, "singleton") {
		var rule *singletonRule
		rule, ok = read(p, singletonParser, start, end, "the declaration", "singleton TYPE:ID { … }")
		t.Kind = Singleton
		if ok {
			object := p.object(rule.Object)
			t.ID = object.ID
			t.Name = Name{Text: object.Type, Place: object.Place, Width: object.Width}
			if object.ID == "*" {
				p.report(rule.Object.Pos, object.Width, "wildcard", "a singleton has one object, and * stands for all", "an id", "")
			}
		}
	} else {
		var rule *typeRule
		rule, ok = read(p, typeParser, start, end, "the declaration", "type NAME { … } or extend type NAME { … }")
		if ok {
			t.Name = p.typeName(&rule.Name)
		}
	}
	if !ok {
		t.Name, t.ID = p.nameAfter(start)
	}
	p.i = end
	if !p.is(end, "{") {
		p.around(&t.Notes, start, end)
		if ok && t.Kind != Ordinary {
			p.report(p.endOf(end-1), 1, "syntax", "the declaration needs a body", `"{"`, "")
		}
		return known(t)
	}
	t.Blank, t.Before = p.before(start)
	for i := start + 1; i <= end; i++ {
		t.Before = appendTexts(t.Before, p.notes[i])
	}
	t.Body = &Body{}
	t.Body.Open, t.Body.End, t.Trail = p.block(start, memberBegins, func(a, b int) {
		if m := p.member(a, b); m != nil {
			t.Body.Members = append(t.Body.Members, m)
			return
		}
		t.Partial = true
	})
	return known(t)
}

// known drops a type without a name, whose members nobody can place.
func known(t *Type) Decl {
	if t.Name.Text == "" {
		return nil
	}
	return t
}

// nameAfter takes the name of a type out of a declaration that cannot be read,
// so that nobody calls it unknown.
func (p *parser) nameAfter(start int) (name Name, id string) {
	if p.is(start, "extend") {
		start++
	}
	t := p.at(start + 1)
	if t.Type == objectToken {
		typ, rest, _ := strings.Cut(t.Value, ":")
		return Name{Text: unquoteTicks(typ), Place: p.place(t.Pos), Width: width(typ)}, unquoteTicks(rest)
	}
	if !isName(t) {
		return Name{}, ""
	}
	return Name{Text: unquoteTicks(t.Value), Place: p.place(t.Pos), Width: tokenWidth(t)}, ""
}

func appendTexts(texts []string, comments []comment) []string {
	for _, c := range comments {
		texts = append(texts, c.text)
	}
	return texts
}

// block reads what stands between { and }, from the { at p.i: it cuts the tokens
// into lines at those where begins says so, and hands each to line. It returns
// the comments behind {, before } and behind it.
func (p *parser) block(start int, begins func(p *parser, i, lineStart int) bool, line func(start, end int)) (open string, end []string, trail string) {
	brace := p.at(p.i)
	p.i++
	open = p.trail(p.i)
	for !p.is(p.i, "}") || p.at(p.i).Type != punctToken {
		if p.at(p.i).Type == lexer.EOF || p.leaves(p.i, start) {
			p.reportToken(brace, "syntax", "the { is not closed", `"}"`, "")
			return open, end, ""
		}
		from, depth := p.i, 0
		for p.i++; p.at(p.i).Type != lexer.EOF && !p.leaves(p.i, start); p.i++ {
			if depth == 0 && (p.is(p.i, "}") || begins(p, p.i, from)) {
				break
			}
			switch p.at(p.i).Value {
			case "{":
				depth++
			case "}":
				depth--
			}
		}
		line(from, p.i)
	}
	_, end = p.before(p.i)
	p.i++
	return open, end, p.trail(p.i)
}

// leaves says whether a declaration begins at token i although the body it
// stands in was not closed: in the first column, where no name is awaited.
func (p *parser) leaves(i, start int) bool {
	fits, ok := declarations[p.at(i).Value]
	return ok && p.at(i).Type == nameToken && p.at(i).Pos.Column == 1 && fits(p.at(i+1), p.at(i+2)) && !p.awaitsName(i)
}

// awaitsName says whether the token before i cannot be followed by a new line of
// a body, so that a keyword at i is a name.
func (p *parser) awaitsName(i int) bool {
	if i == 0 {
		return false
	}
	switch p.at(i - 1).Value {
	case "or", "and", "except", "(", "[", "|", "->", "#", ":", "=", ",", "every", "with",
		"relation", "permission", "acts", "exclusive":
		return true
	}
	return false
}

// memberBegins says whether a member of a type begins at token i.
func memberBegins(p *parser, i, _ int) bool {
	t := p.at(i)
	if t.Type != nameToken {
		return false
	}
	next := p.at(i + 1)
	switch t.Value {
	case "relation", "permission":
		if isName(next) {
			switch p.at(i + 2).Value {
			case ":", "=", ",":
				return true
			}
			if !continues(next.Value) {
				return true
			}
		}
	case "acts", "exclusive":
	default:
		return p.strays(i)
	}
	return !p.awaitsName(i) && (isName(next) || next.Type == objectToken || p.firstOnLine(i))
}

// strays says whether a word at token i begins a line although it is no keyword
// that does, most likely since it is misspelled: what is before it is complete,
// and a name follows it, which is nowhere right in the middle of a line.
func (p *parser) strays(i int) bool {
	t, next := p.at(i), p.at(i+1)
	return t.Type == nameToken && p.firstOnLine(i) && !continues(t.Value) && !p.awaitsName(i) &&
		(isName(next) && !continues(next.Value) || next.Type == objectToken || next.Type == stringToken)
}

// continues says whether a word may stand between two names.
func continues(word string) bool {
	switch word {
	case "or", "and", "except", "at", "deprecated", "immutable", "with", "until", "to", "on", "missing",
		"most", "least", "for", "holds", "grants", "refuse":
		return true
	}
	return false
}

func (p *parser) firstOnLine(i int) bool { return i == 0 || p.endOf(i-1).Line < p.at(i).Pos.Line }

// member reads the line of a type's body between two tokens; nil when it cannot.
func (p *parser) member(start, end int) Member {
	t := p.at(start)
	var m Member
	switch {
	case t.Type == nameToken && (t.Value == "relation" || t.Value == "permission"):
		if m = p.relation(start, end); m == nil {
			return nil
		}
	case t.Type == nameToken && t.Value == "acts":
		rule, ok := read(p, actsParser, start, end, "the line", "acts for RELATION on TYPE { NAME, … }")
		if !ok {
			return nil
		}
		m = &Acts{Owner: p.relationName(&rule.Owner), On: p.typeName(&rule.On),
			Permissions: p.names(rule.Permissions, false), Place: p.place(t.Pos)}
	case t.Type == nameToken && t.Value == "exclusive":
		if _, ok := read(p, exclusiveParser, start, end, "the line", "exclusive NAME, …"); ok {
			p.notSupported(t.Pos, len("exclusive"), "mutual exclusion of relations")
		}
		return nil
	default:
		p.reportToken(t, "syntax", fmt.Sprintf("%s begins no line of a type", tokenText(t)),
			"relation, permission, acts or }", source.DidYouMean(t.Value, []string{"relation", "permission", "acts"}))
		return nil
	}
	p.around(m.Comments(), start, end)
	return m
}

func (p *parser) notSupported(pos lexer.Position, width int, what string) {
	p.report(pos, width, "not_yet_supported", what+" is not yet supported", "", "")
}
