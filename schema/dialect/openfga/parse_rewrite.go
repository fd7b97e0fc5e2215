package openfga

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/dialect"
)

// rewrite reads operands with one operator between them. The restrictions may
// stand only in the first place (first).
func (p *parser) rewrite(r *relationDef, first bool) (*rewrite, error) {
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > dialect.MaxDepth {
		t := p.peek()
		p.report.Refuse("too_deep", t.place, t.width(), fmt.Sprintf("parentheses nested deeper than %d", dialect.MaxDepth), "")
		return nil, fault{}
	}
	left, err := p.operand(r, first)
	if err != nil {
		return nil, err
	}
	word, op := p.operator()
	if word == "" {
		return left, nil
	}
	whole := &rewrite{operator: op, place: left.place, operands: []*rewrite{left}}
	for next := word; next != ""; {
		if next != word || op == difference && len(whole.operands) == 2 {
			return nil, p.fail(p.peek(), "parentheses: or, and, but not do not mix, and but not does not chain")
		}
		p.at += operatorWords(next)
		operand, err := p.operand(r, false)
		if err != nil {
			return nil, err
		}
		whole.operands = append(whole.operands, operand)
		next, _ = p.operator()
	}
	return whole, nil
}

func operatorWords(text string) int {
	if text == "but not" {
		return 2
	}
	return 1
}

// operator returns the operator that stands next, or "".
func (p *parser) operator() (string, operator) {
	switch p.peek().text {
	case "or":
		return "or", union
	case "and":
		return "and", intersection
	case "but":
		if p.tokens[p.at+1].text == "not" {
			return "but not", difference
		}
	}
	return "", this
}

func (p *parser) operand(r *relationDef, first bool) (*rewrite, error) {
	t := p.peek()
	switch {
	case t.kind == '[' && first:
		p.at++
		r.assignable = true
		direct, err := p.restrictions()
		r.direct = direct
		return &rewrite{operator: this, place: t.place}, err
	case t.kind == '(':
		p.at++
		inner, err := p.rewrite(r, first)
		if err != nil {
			return nil, err
		}
		if t := p.take(); t.kind != ')' {
			p.at--
			return nil, p.fail(t, "or, and, but not, or a closing parenthesis")
		}
		return inner, nil
	case t.kind == '[':
		return nil, p.fail(t, "a relation: type restrictions stand only at the beginning of a definition")
	}
	n, err := p.name("a relation, type restrictions in [ ], or parentheses")
	if err != nil {
		return nil, err
	}
	if p.peek().text != "from" {
		return &rewrite{operator: computed, place: n.Place, relation: n}, nil
	}
	p.at++
	tupleset, err := p.name("the relation that leads to the other object")
	return &rewrite{operator: fromTupleset, place: n.Place, relation: n, tupleset: tupleset}, err
}

// restrictions reads "user, group#member, user:* with condition]"; lines may
// break anywhere in it.
func (p *parser) restrictions() ([]restriction, error) {
	var list []restriction
	for {
		p.breaks()
		r, err := p.restriction()
		if err != nil {
			return nil, err
		}
		list = append(list, r)
		p.breaks()
		switch t := p.take(); t.kind {
		case ',':
		case ']':
			return list, nil
		default:
			p.at--
			return nil, p.fail(t, "a comma or ]")
		}
	}
}

// breaks reads the ends of lines, and comments, inside brackets.
func (p *parser) breaks() {
	for p.peek().kind == newline || p.peek().kind == comment {
		if t := p.take(); t.kind == comment {
			p.pending = append(p.pending, remark{Text: t.text})
		}
	}
}

func (p *parser) restriction() (restriction, error) {
	var r restriction
	var err error
	if r.typ, err = p.name("a type"); err != nil {
		return r, err
	}
	switch p.peek().kind {
	case ':':
		p.at++
		if t := p.take(); t.kind != '*' {
			p.at--
			return r, p.fail(t, "* behind the type's colon")
		}
		r.wildcard = true
	case '#':
		p.at++
		if r.relation, err = p.name("a relation of the type"); err != nil {
			return r, err
		}
	}
	if p.peek().text == "with" {
		p.at++
		r.condition, err = p.name("the name of a condition")
	}
	return r, err
}
