package spicedb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/condition"
)

// caveat reads "caveat name(param type, …) { expression }".
func (p *parser) caveat() error {
	first := p.take()
	c := &caveat{comments: p.above(first.place.Line), order: p.order}
	p.order++
	n, err := p.path("the name of the caveat")
	if err != nil {
		return err
	}
	c.name = n
	p.file.caveats = append(p.file.caveats, c)
	if t := p.take(); t.kind != '(' {
		return p.fail(t, "( and the caveat's parameters")
	}
	for {
		p.terminators()
		d, err := p.param()
		if err != nil {
			return err
		}
		if len(c.params) == condition.MaxParams {
			p.report.Refuse("too_many", d.name.Place, len(d.name.Text), fmt.Sprintf("a caveat has at most %d parameters here", condition.MaxParams), "")
			return fault{}
		}
		if slices.ContainsFunc(c.params, func(other param) bool { return other.name.Text == d.name.Text }) {
			p.report.Refuse("duplicate", d.name.Place, len(d.name.Text), fmt.Sprintf("the parameter %s of caveat %s is defined twice", d.name.Text, c.name.Text), "remove one of them")
		}
		c.params = append(c.params, d)
		p.terminators()
		t := p.take()
		if t.kind == ')' {
			break
		}
		if t.kind != ',' {
			return p.fail(t, "a comma or )")
		}
	}
	if t := p.take(); t.kind != '{' {
		return p.fail(t, "{ and the caveat's expression")
	}
	b := p.take()
	c.body = name{Text: b.text, Place: b.place}
	if t := p.take(); t.kind != '}' {
		return fault{} // reported by the scanner
	}
	if strings.TrimSpace(b.text) == "" {
		return p.fail(token{kind: '}', text: "}", place: b.place}, "the caveat's expression")
	}
	inside := p.comments()
	err = p.endStatement()
	for i := range inside {
		inside[i].Doc = false
	}
	c.comments = append(append(c.comments, inside...), p.trailing()...)
	return err
}

// param reads "name type" or "name list<type>".
func (p *parser) param() (param, error) {
	n, err := p.name("the name of a parameter")
	if err != nil {
		return param{}, err
	}
	typ, err := p.paramType(0)
	return param{name: n, typ: typ}, err
}

func (p *parser) paramType(depth int) (string, error) {
	t := p.take()
	generic, known := paramTypes[t.text]
	if t.kind != word || !known || depth > 8 {
		return "", p.fail(t, "bool, string, int, uint, double, bytes, duration, timestamp, ipaddress, any, list<…> or map<…>")
	}
	if !generic {
		return t.text, nil
	}
	if next := p.take(); next.kind != '<' {
		return "", p.fail(next, "< and the type of the elements")
	}
	element, err := p.paramType(depth + 1)
	if err != nil {
		return "", err
	}
	if next := p.take(); next.kind != '>' {
		return "", p.fail(next, ">")
	}
	return t.text + "<" + element + ">", nil
}
