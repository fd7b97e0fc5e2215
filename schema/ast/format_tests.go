package ast

import (
	"strconv"
	"strings"
)

func (p *printer) test(t *Test) {
	head := "test " + strconv.Quote(t.Name) + " {"
	if len(t.Statements)+len(t.End) == 0 && t.Open == "" {
		p.line("", head+"}", t.Trail)
		return
	}
	p.line("", head, t.Open)
	p.opened = true
	for i := 0; i < len(t.Statements); {
		i += p.statements(t.Statements, i)
	}
	p.comments(indent, t.End)
	p.empty = false
	p.line("", "}", t.Trail)
}

// statements prints the statement i, and when it is an assertion the run of
// assertions that it begins, their subjects in one column.
func (p *printer) statements(statements []Statement, i int) int {
	if g, ok := statements[i].(*Given); ok {
		p.lead(indent, &g.Notes)
		p.line(indent, givenText(g), g.Trail)
		return 1
	}
	var run []*Assert
	column := 0
	for j, s := range statements[i:] {
		a, ok := s.(*Assert)
		if !ok || j > 0 && (a.Blank || len(a.Before) > 0) {
			break
		}
		run = append(run, a)
		column = max(column, len(a.Kind))
	}
	for _, a := range run {
		p.lead(indent, &a.Notes)
		p.assert(a, column)
	}
	return len(run)
}

func givenText(g *Given) string {
	text := "given " + usersetText(g.Userset) + "@" + usersetText(g.Subject)
	if g.Condition.Text != "" {
		text += " with " + nameText(g.Condition.Text)
		if g.Context != "" {
			text += " " + contextText(g.Context)
		}
	}
	if g.Until != "" {
		text += " until " + g.Until
	}
	return text
}

// assert prints an assertion, its parts on lines of their own where it is long.
func (p *printer) assert(a *Assert, column int) {
	objects := make([]string, len(a.Objects))
	for i, o := range a.Objects {
		objects[i] = objectText(o)
	}
	type part struct {
		head string
		list []string
	}
	parts := []part{
		{padded(string(a.Kind), column) + " ", usersetTexts(a.Subjects)},
		{"to ", nameTexts(a.Names)},
		{"on ", objects},
	}
	if a.Context != "" {
		parts = append(parts, part{"with ", []string{contextText(a.Context)}})
	}
	if a.Time != "" {
		parts = append(parts, part{"at ", []string{a.Time}})
	}
	if len(a.Missing) > 0 {
		parts = append(parts, part{"missing ", nameTexts(a.Missing)})
	}
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = part.head + strings.Join(part.list, ", ")
	}
	if whole := strings.Join(texts, " "); width(indent+whole) <= maxLine {
		p.line(indent, whole, a.Trail)
		return
	}
	for i, part := range parts {
		lead, trail := deeper, ""
		if i == 0 {
			lead = indent
		}
		if i == len(parts)-1 {
			trail = a.Trail
		}
		p.wrapped(lead, part.head, part.list, "", trail)
	}
}
