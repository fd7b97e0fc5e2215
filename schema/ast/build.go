package ast

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// unquoteTicks reads a name or id that may stand in backticks.
func unquoteTicks(text string) string {
	if len(text) >= 2 && text[0] == '`' && text[len(text)-1] == '`' {
		return strings.ReplaceAll(text[1:len(text)-1], "``", "`")
	}
	return text
}

func width(text string) int { return utf8.RuneCountInString(text) }

func (p *parser) typeName(rule *nameRule) Name     { return p.nameOf(rule, true) }
func (p *parser) relationName(rule *nameRule) Name { return p.nameOf(rule, false) }

func (p *parser) nameOf(rule *nameRule, isType bool) Name {
	n := Name{Text: unquoteTicks(rule.Text), Place: p.place(rule.Pos), Width: width(rule.Text)}
	if err := tuple.ValidName(n.Text, isType); err != nil {
		p.report(rule.Pos, n.Width, "bad_name", err.Error(),
			"letters, digits and _, inner - and, for types, inner /", "")
	}
	return n
}

func (p *parser) names(rules []*nameRule, isType bool) []Name {
	names := make([]Name, len(rules))
	for i, r := range rules {
		names[i] = p.nameOf(r, isType)
	}
	return names
}

func (p *parser) optionalName(rule *nameRule) Name {
	if rule == nil {
		return Name{}
	}
	return p.relationName(rule)
}

func (p *parser) object(rule objectRule) Object {
	typ, id, _ := strings.Cut(rule.Text, ":")
	o := Object{Type: unquoteTicks(typ), ID: unquoteTicks(id), Place: p.place(rule.Pos), Width: width(rule.Text)}
	if err := tuple.ValidName(o.Type, true); err != nil {
		p.report(rule.Pos, width(typ), "bad_name", err.Error(), "letters, digits and _, inner - and /", "")
	} else if err := tuple.ValidID(o.ID); err != nil {
		p.report(rule.Pos, o.Width, "bad_id", err.Error(), "1 to 1024 bytes without white space, : or #", "")
	}
	return o
}

// soleObject reads an object where no wildcard may stand.
func (p *parser) soleObject(rule objectRule) Object {
	o := p.object(rule)
	if o.ID == tuple.Wildcard {
		p.report(rule.Pos, o.Width, "wildcard", fmt.Sprintf("%s:* stands for every %s, and one object is needed here", o.Type, o.Type),
			"an object, type:id", "")
	}
	return o
}

func (p *parser) userset(rule *usersetRule) Userset {
	u := Userset{Object: p.object(rule.Object), Relation: p.optionalName(rule.Relation)}
	if u.Relation.Text != "" && u.Object.ID == tuple.Wildcard {
		p.report(rule.Object.Pos, u.Object.Width, "wildcard", "a wildcard subject has no relation", "type:* or type:id#relation", "")
	}
	return u
}

func (p *parser) usersets(rules []*usersetRule) []Userset {
	out := make([]Userset, len(rules))
	for i, r := range rules {
		out[i] = p.userset(r)
	}
	return out
}

func (p *parser) text(rule *stringRule) string {
	text, err := strconv.Unquote(rule.Text)
	if err != nil {
		p.report(rule.Pos, width(rule.Text), "bad_text", "the text has an escape that is none",
			`the escapes of Go: \" \\ \n \t \u00e9`, "")
	}
	return text
}

func (p *parser) time(rule *timeRule) string {
	if rule == nil {
		return ""
	}
	if _, err := tuple.ParseTime(rule.Text); err != nil {
		p.report(rule.Pos, width(rule.Text), "bad_time", err.Error(), "a time like 2030-01-01T00:00:00Z", "")
	}
	return rule.Text
}

func (p *parser) json(rule *jsonRule) string {
	if rule == nil {
		return ""
	}
	if _, err := tuple.CanonicalContext([]byte(rule.Text)); err != nil {
		p.report(rule.Pos, 1, "bad_json", strings.TrimPrefix(err.Error(), "jsontext: "), "a JSON object: {\"name\": value}", "")
	}
	return rule.Text
}

func (p *parser) importDeclaration(start, end int) Decl {
	rule, ok := read(p, importParser, start, end, "the import", `import "path/file.pemba"`)
	if !ok {
		return nil
	}
	return &Import{Path: p.text(&rule.Path), Place: p.place(rule.Path.Pos)}
}

func (p *parser) condition(start, end int) Decl {
	rule, ok := read(p, conditionParser, start, end, "the condition", "condition NAME(NAME: TYPE, …) { CEL }")
	if !ok {
		return nil
	}
	c := &Condition{Name: p.relationName(&rule.Name), Place: p.place(p.at(start).Pos)}
	for _, r := range rule.Params {
		text := paramType(&r.Type)
		c.Params = append(c.Params, Param{Name: p.relationName(&r.Name), Type: text,
			Place: p.place(r.Type.Pos), Width: width(text)})
	}
	body := rule.Body.Text
	trimmed := strings.TrimLeft(body, " \t\r\n")
	pos := rule.Body.Pos
	pos.Advance(body[:len(body)-len(trimmed)])
	c.Body, c.BodyPlace = strings.TrimRight(trimmed, " \t\r\n"), p.place(pos)
	if c.Body == "" {
		p.report(rule.Body.Pos, 1, "empty_condition", fmt.Sprintf("condition %s has no expression", c.Name.Text), "a CEL expression", "")
	}
	return c
}

func paramType(rule *paramTypeRule) string {
	if rule.Element == nil {
		return rule.Name
	}
	return rule.Name + "<" + paramType(rule.Element) + ">"
}

func (p *parser) sealed(start, end int) Decl {
	rule, ok := read(p, sealedParser, start, end, "the declaration", "sealed TYPE:ID#RELATION = SUBJECT, …")
	if !ok {
		return nil
	}
	return &Sealed{Userset: Userset{Object: p.soleObject(rule.Object), Relation: p.relationName(&rule.Relation)},
		Subjects: p.usersets(rule.Subjects), Place: p.place(p.at(start).Pos)}
}

func (p *parser) claim(start, end int) Decl {
	rule, ok := read(p, claimParser, start, end, "the claim", "never T#N grants T#N, never T#N holds T#N or always T#N holds T#N")
	if !ok {
		return nil
	}
	verb := rule.Verb.Text
	if verb != "holds" && (verb != "grants" || rule.Kind == "always") {
		expected := `"grants" or "holds"`
		if rule.Kind == "always" {
			expected = `"holds"`
		}
		p.report(rule.Verb.Pos, width(verb), "syntax", fmt.Sprintf("%q is not expected here, in the claim", verb), expected,
			source.DidYouMean(verb, []string{"grants", "holds"}))
		return nil
	}
	return &Claim{Always: rule.Kind == "always", Grants: verb == "grants", Place: p.place(p.at(start).Pos),
		Left:  TypeRelation{Type: p.typeName(&rule.Left.Type), Relation: p.relationName(&rule.Left.Relation)},
		Right: TypeRelation{Type: p.typeName(&rule.Right.Type), Relation: p.relationName(&rule.Right.Relation)}}
}

func (p *parser) given(rule *givenRule, place source.Place) *Given {
	return &Given{
		Userset:   Userset{Object: p.soleObject(rule.Object), Relation: p.relationName(&rule.Relation)},
		Subject:   p.userset(&rule.Subject),
		Condition: p.optionalName(rule.Condition),
		Context:   p.json(rule.Context),
		Until:     p.time(rule.Until),
		Place:     place,
	}
}

func (p *parser) assert(rule *assertRule, place source.Place) *Assert {
	a := &Assert{Kind: AssertKind(rule.Kind), Subjects: p.usersets(rule.Subjects), Names: p.names(rule.Names, false),
		Context: p.json(rule.Context), Time: p.time(rule.Time), Missing: p.names(rule.Missing, false), Place: place}
	for _, o := range rule.Objects {
		a.Objects = append(a.Objects, p.soleObject(*o))
	}
	if len(a.Missing) > 0 && a.Kind != Conditional {
		p.report(rule.Missing[0].Pos, width(rule.Missing[0].Text), "syntax", "only a conditional answer misses something",
			"", "write conditional instead of "+rule.Kind)
	}
	return a
}
