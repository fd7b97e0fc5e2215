package ast

import (
	"strconv"
	"strings"
)

// members prints the member i, and when it is a relation the run of relations or
// permissions that it begins, in one column.
func (p *printer) members(members []Member, i int) int {
	first, ok := members[i].(*Relation)
	if !ok {
		acts := members[i].(*Acts)
		p.lead(indent, &acts.Notes)
		head := "acts for " + nameText(acts.Owner.Text) + " on " + nameText(acts.On.Text) + " { "
		if len(acts.Permissions) == 0 {
			p.line(indent, strings.TrimSpace(head)+"}", acts.Trail)
		} else {
			p.wrapped(indent, head, nameTexts(acts.Permissions), " }", acts.Trail)
		}
		return 1
	}
	run := []*Relation{first}
	for _, m := range members[i+1:] {
		r, ok := m.(*Relation)
		if !ok || r.Permission != first.Permission || r.Blank || len(r.Before) > 0 {
			break
		}
		run = append(run, r)
	}
	column := 0
	for _, r := range run {
		if n := width(relationHead(r)); n <= maxAlign {
			column = max(column, n)
		}
	}
	for _, r := range run {
		p.relation(r, column)
	}
	return len(run)
}

func relationHead(r *Relation) string {
	if r.Permission {
		return "permission " + strings.Join(nameTexts(r.Names), ", ")
	}
	return "relation " + strings.Join(nameTexts(r.Names), ", ") + ":"
}

func (p *printer) relation(r *Relation, column int) {
	p.lead(indent, &r.Notes)
	head := relationHead(r)
	pad := strings.Repeat(" ", max(0, column-width(head)))
	mark := " "
	if r.Permission {
		mark = " = "
	}
	tail := ""
	if r.Deprecated != "" {
		tail = "deprecated " + strconv.Quote(r.Deprecated)
	}
	text := head + pad + mark + exprText(r.Expr, false)
	if whole := strings.TrimSpace(text + " " + tail); width(indent+whole) <= maxLine {
		p.line(indent, whole, r.Trail)
		return
	}
	if width(indent+head) > maxLine {
		words := strings.SplitAfter(head, ", ")
		lines := fill(words, maxLine-len(deeper)-len(mark))
		for i, l := range lines[:len(lines)-1] {
			p.line(lineIndent(i), strings.TrimRight(l, " "), "")
		}
		p.relationLines(lineIndent(len(lines)-1), lines[len(lines)-1]+mark, r, tail)
		return
	}
	p.relationLines(indent, head+pad+mark, r, tail)
}

// relationLines prints a relation whose expression does not fit one line: an
// operand per line.
func (p *printer) relationLines(lead, head string, r *Relation, tail string) {
	operands, op := []Expr{r.Expr}, ""
	if o, ok := r.Expr.(*Operation); ok {
		operands, op = o.Operands, string(o.Op)+" "
	}
	var lines []string
	for i, e := range operands {
		from, start := deeper, op
		if i == 0 {
			from, start = lead, head
		}
		text := from + start + exprText(e, true)
		if d, ok := e.(*Direct); ok && width(text) > maxLine {
			lines = append(lines, bracketLines(from, start, d)...)
			continue
		}
		lines = append(lines, text)
	}
	if tail != "" {
		lines = append(lines, deeper+tail)
	}
	for i, l := range lines {
		trail := ""
		if i == len(lines)-1 {
			trail = r.Trail
		}
		p.line("", l, trail)
	}
}

func bracketLines(from, head string, d *Direct) []string {
	lines := []string{from + head + "["}
	for i, s := range d.Subjects {
		text := deeper + subjectText(s)
		if i < len(d.Subjects)-1 {
			text += " |"
		}
		lines = append(lines, text)
	}
	return append(lines, indent+"]"+boundText(d))
}

func lineIndent(i int) string {
	if i == 0 {
		return indent
	}
	return deeper
}
