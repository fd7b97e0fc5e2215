package spicedb

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/dialect"
)

// expression reads operands of one level. SpiceDB's union binds tightest, then
// intersection, then exclusion; each associates to the left.
func (p *parser) expression(level operator) (*expression, error) {
	if level < union {
		return p.operand()
	}
	p.depth++
	defer func() { p.depth-- }()
	if p.depth > 3*dialect.MaxDepth {
		t := p.peek()
		p.report.Refuse("too_deep", t.place, t.width(), fmt.Sprintf("parentheses nested deeper than %d", dialect.MaxDepth), "")
		return nil, fault{}
	}
	left, err := p.expression(level - 1)
	if err != nil {
		return nil, err
	}
	marks := map[operator]kind{union: '+', intersection: '&', exclusion: '-'}
	for n := 1; p.peek().kind == marks[level]; n++ {
		if t := p.take(); level == exclusion && n > dialect.MaxDepth {
			p.report.Refuse("too_deep", t.place, t.width(), fmt.Sprintf("more than %d exclusions in a row", dialect.MaxDepth), "give a part of them a name of its own")
			return nil, fault{}
		}
		right, err := p.expression(level - 1)
		if err != nil {
			return nil, err
		}
		if left.operator == level && !left.grouped && level != exclusion {
			left.operands = append(left.operands, right)
		} else {
			left = &expression{operator: level, place: left.place, operands: []*expression{left, right}}
		}
	}
	return left, nil
}

func (p *parser) operand() (*expression, error) {
	t := p.peek()
	switch {
	case t.kind == '(':
		p.at++
		inner, err := p.expression(exclusion)
		if err != nil {
			return nil, err
		}
		if t := p.take(); t.kind != ')' {
			return nil, p.fail(t, "an operator or a closing parenthesis")
		}
		inner.grouped = true
		return inner, nil
	case t.text == "nil" && t.kind == word:
		p.at++
		return &expression{operator: none, place: t.place}, nil
	case t.text == "self" && p.file.uses["self"]:
		p.at++
		return &expression{operator: itself, place: t.place}, nil
	}
	n, err := p.name("a relation, a permission, nil or parentheses")
	if err != nil {
		return nil, err
	}
	e := &expression{place: n.Place, relation: n}
	switch p.peek().kind {
	case arrow:
		p.at++
		e.operator = walk
		e.target, err = p.name("the name of a relation or permission")
	case '.':
		p.at++
		err = p.function(e)
	}
	return e, err
}

// function reads "any(name)" or "all(name)".
func (p *parser) function(e *expression) error {
	switch t := p.take(); t.text {
	case "any":
		e.operator = walk
	case "all":
		e.operator = walkAll
	default:
		return p.fail(t, "any or all")
	}
	if t := p.take(); t.kind != '(' {
		return p.fail(t, "( and the name of a relation or permission")
	}
	var err error
	if e.target, err = p.name("the name of a relation or permission"); err != nil {
		return err
	}
	if t := p.take(); t.kind != ')' {
		return p.fail(t, ")")
	}
	return nil
}
