package openfga

import (
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema/condition"
)

// condition reads "condition name(param: type, …) { expression }".
func (p *parser) condition() error {
	p.closeBody()
	c := &conditionDef{order: p.order, comments: p.comments()}
	p.order++
	p.at++
	n, err := p.name("the name of the condition")
	if err != nil {
		return p.skipCondition(err)
	}
	c.name = n
	p.model.conditions = append(p.model.conditions, c)
	if t := p.take(); t.kind != '(' {
		return p.skipCondition(p.fail(t, "( and the condition's parameters"))
	}
	for {
		p.breaks()
		param, err := p.param()
		if err != nil {
			return p.skipCondition(err)
		}
		if len(c.params) == condition.MaxParams {
			p.report.Refuse("too_many", param.name.Place, len(param.name.Text), fmt.Sprintf("a condition has at most %d parameters", condition.MaxParams), "")
			return p.skipCondition(fault{})
		}
		if slices.ContainsFunc(c.params, func(other paramDef) bool { return other.name.Text == param.name.Text }) {
			p.report.Refuse("duplicate_parameter", param.name.Place, len(param.name.Text),
				"the parameter "+param.name.Text+" of condition "+c.name.Text+" is defined twice", "remove one of them")
		}
		c.params = append(c.params, param)
		p.breaks()
		t := p.take()
		if t.kind == ')' {
			break
		}
		if t.kind != ',' {
			return p.skipCondition(p.fail(t, "a comma or )"))
		}
	}
	p.breaks()
	if t := p.take(); t.kind != '{' {
		return p.skipCondition(p.fail(t, "{ and the condition's expression"))
	}
	b := p.take()
	c.body = name{Text: b.text, Place: b.place}
	if t := p.take(); t.kind != '}' {
		return fault{} // reported by the scanner
	}
	return p.endWith(&c.comments)
}

// skipCondition passes over the rest of a condition that does not parse.
func (p *parser) skipCondition(err error) error {
	for i := p.at; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.kind == body:
			p.at = i + 1
			return err
		case t.kind == word && (t.text == "type" || t.text == "condition" || t.text == "extend") && i > 0 && p.tokens[i-1].kind == newline:
			p.at = i - 1
			return err
		}
	}
	return err
}

// param reads "name: type" or "name: list<type>".
func (p *parser) param() (paramDef, error) {
	var d paramDef
	t := p.take()
	if t.kind != word {
		return d, p.fail(t, "the name of a parameter")
	}
	d.name = name{Text: t.text, Place: t.place}
	if t := p.take(); t.kind != ':' {
		p.at--
		return d, p.fail(t, "a colon and the parameter's type")
	}
	typ := p.take()
	generic, known := paramTypes[typ.text]
	if typ.kind != word || !known {
		return d, p.fail(typ, "bool, string, int, uint, double, duration, timestamp, ipaddress, any, list<…> or map<…>")
	}
	d.typ = typ.text
	if !generic {
		return d, nil
	}
	if t := p.take(); t.kind != '<' {
		return d, p.fail(t, "< and the type of the elements")
	}
	element := p.take()
	if nested, known := paramTypes[element.text]; element.kind != word || !known || nested {
		return d, p.fail(element, "bool, string, int, uint, double, duration, timestamp, ipaddress or any")
	}
	if t := p.take(); t.kind != '>' {
		return d, p.fail(t, ">")
	}
	d.typ += "<" + element.text + ">"
	return d, nil
}
