package ast

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// relation reads a relation or permission. One whose expression cannot be read
// is kept with its names, so that nobody calls them unknown.
func (p *parser) relation(start, end int) Member {
	t := p.at(start)
	r := &Relation{Permission: t.Value == "permission", Place: p.place(t.Pos)}
	form := "relation NAME, …: [SUBJECT | …] or …"
	mark := ":"
	if r.Permission {
		form, mark = "permission NAME, … = EXPRESSION", "="
	}
	rule, ok := read(p, relationParser, start, end, "the "+t.Value, form)
	if !ok {
		r.Names = p.namesBefore(start+1, end)
		if len(r.Names) == 0 {
			return nil
		}
		return r
	}
	if rule.Mark.Text != mark {
		p.report(rule.Mark.Pos, 1, "syntax", fmt.Sprintf("%q is not expected here, in the %s", rule.Mark.Text, t.Value),
			strconv.Quote(mark), fmt.Sprintf("the %s is written: %s", t.Value, form))
	}
	r.Names = p.names(rule.Names, false)
	r.Expr = p.expr(rule.Expr)
	if rule.Deprecated != nil {
		r.Deprecated = p.text(rule.Deprecated)
		if strings.TrimSpace(r.Deprecated) == "" {
			p.report(rule.Deprecated.Pos, 2, "syntax", "deprecated needs a reason", `a text like "use reader instead"`, "")
		}
	}
	return r
}

// namesBefore reads names and commas as far as they go.
func (p *parser) namesBefore(start, end int) []Name {
	var names []Name
	for i := start; i < end; i += 2 {
		t := p.at(i)
		text := unquoteTicks(t.Value)
		if t.Type == objectToken { // relation a:b, with the space forgotten
			text, _, _ = strings.Cut(t.Value, ":")
		} else if !isName(t) {
			break
		}
		names = append(names, Name{Text: text, Place: p.place(t.Pos), Width: tokenWidth(t)})
		if !p.is(i+1, ",") {
			break
		}
	}
	return names
}

// expr builds an expression. Different operators side by side are reported with
// the parentheses that were meant most likely.
func (p *parser) expr(rule *exprRule) Expr {
	first := p.term(rule.First)
	if len(rule.Rest) == 0 {
		return first
	}
	op := &Operation{Op: Op(rule.Rest[0].Op), Operands: []Expr{first}, Place: first.At()}
	var result Expr = op
	var fault *restRule
	faults := 0
	for i, rest := range rule.Rest {
		next := p.term(rest.Term)
		if i > 0 && (Op(rest.Op) != op.Op || op.Op == Except) {
			if fault == nil {
				fault = rest
			}
			if faults++; faults > maxFaults { // refused already: build no deep tree of it
				break
			}
			op = &Operation{Op: Op(rest.Op), Operands: []Expr{result}, Place: first.At()}
			result = op
		}
		op.Operands = append(op.Operands, next)
	}
	if fault != nil {
		code, message := "mixed_operators", "or, and, except side by side need parentheses"
		if fault.Op == "except" && rule.Rest[0].Op == "except" {
			code, message = "chained_except", "except does not chain"
		}
		suggestion := "write " + tuple.Clip(exprText(result, false))
		if code == "chained_except" && allExcept(rule) {
			suggestion = "write " + tuple.Clip(exprText(exceptAll(result), false))
		}
		p.report(fault.Pos, len(fault.Op), code, message, "", suggestion)
	}
	return result
}

// maxFaults bounds the tree that is built of operators without parentheses.
const maxFaults = 50

func allExcept(rule *exprRule) bool {
	for _, rest := range rule.Rest {
		if rest.Op != "except" {
			return false
		}
	}
	return true
}

// exceptAll makes a except (b or c) of (a except b) except c.
func exceptAll(e Expr) Expr {
	var excluded []Expr
	for {
		op, ok := e.(*Operation)
		if !ok || op.Op != Except {
			break
		}
		excluded = append([]Expr{op.Operands[1]}, excluded...)
		e = op.Operands[0]
	}
	return &Operation{Op: Except, Operands: []Expr{e, &Operation{Op: Or, Operands: excluded}}}
}

func (p *parser) term(rule *termRule) Expr {
	switch {
	case rule.Direct != nil:
		return p.direct(rule.Direct, rule.Pos)
	case rule.Group != nil:
		return p.expr(rule.Group)
	case rule.Fixed != nil:
		f := &Fixed{Object: p.soleObject(rule.Fixed.Object), Same: rule.Fixed.Relation.Text == "same"}
		f.Relation = p.relationName(&rule.Fixed.Relation)
		return f
	default:
		return p.path(rule.Path)
	}
}

func (p *parser) path(rule *pathRule) Expr {
	if rule.Over != nil {
		return &Arrow{Every: rule.Every, Relation: p.relationName(&rule.Name), Target: p.relationName(rule.Over),
			Same: rule.Over.Text == "same", Place: p.place(rule.Pos)}
	}
	switch rule.Name.Text {
	case "self":
		return &Self{Place: p.place(rule.Pos)}
	case "nobody":
		return &Nobody{Place: p.place(rule.Pos)}
	}
	return &Ref{Name: p.relationName(&rule.Name)}
}

// maxCount is the largest bound of at most: it is kept in 32 bits.
const maxCount = 1 << 30

func (p *parser) direct(rule *directRule, pos lexer.Position) Expr {
	d := &Direct{Place: p.place(pos)}
	for _, s := range rule.Subjects {
		d.Subjects = append(d.Subjects, p.subject(s))
	}
	if rule.Immutable {
		p.notSupported(pos, 1, "immutable")
	}
	if b := rule.Bound; b != nil {
		count, err := strconv.Atoi(b.Count.Text)
		switch {
		case err != nil || count < 1 || count > maxCount:
			p.report(b.Count.Pos, width(b.Count.Text), "syntax", fmt.Sprintf("%q is no count", b.Count.Text), fmt.Sprintf("a whole number from 1 to %d", maxCount), "")
		case b.Kind == "least":
			p.notSupported(b.Pos, len("at least"), "at least")
		default:
			d.AtMost = count
		}
	}
	return d
}

func (p *parser) subject(rule *subjectRule) Subject {
	s := Subject{Place: p.place(rule.Pos), Relation: p.optionalName(rule.Relation)}
	if rule.Wildcard != nil {
		o := p.object(*rule.Wildcard)
		s.Type, s.Wildcard = Name{Text: o.Type, Place: o.Place, Width: o.Width}, true
		if o.ID != tuple.Wildcard {
			p.report(rule.Pos, o.Width, "object_in_bracket", fmt.Sprintf("%s:%s is one object, and brackets name types", o.Type, o.ID),
				"TYPE, TYPE:* or TYPE#NAME", fmt.Sprintf("write %s in the brackets, or a fixed userset outside: %s:%s#NAME", o.Type, o.Type, o.ID))
		} else if s.Relation.Text != "" {
			p.report(rule.Pos, o.Width, "wildcard", "a wildcard subject has no relation", "TYPE:* or TYPE#NAME", "")
		}
	} else {
		s.Type = p.typeName(rule.Type)
	}
	for _, t := range rule.Traits {
		switch {
		case t.Name.Text == "expiry" && s.Expiry != NoExpiry, t.Name.Text != "expiry" && s.Condition.Text != "":
			p.report(t.Name.Pos, width(t.Name.Text), "syntax", "a subject has one condition and one expiry at most", "",
				"put two conditions into one condition's expression")
		case t.Name.Text == "expiry" && t.Optional:
			s.Expiry = OptionalExpiry
		case t.Name.Text == "expiry":
			s.Expiry = RequiredExpiry
		case t.Optional:
			p.report(t.Name.Pos, width(t.Name.Text), "syntax", "only expiry can be optional", "",
				fmt.Sprintf("admit the subject twice: %s | %s with %s", s.Type.Text, s.Type.Text, t.Name.Text))
		default:
			s.Condition = p.relationName(&t.Name)
		}
	}
	return s
}
