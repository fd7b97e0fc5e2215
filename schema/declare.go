package schema

import (
	"errors"
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/source"
)

// declare gathers the names of types, and of their relations and permissions.
func (c *compiler) declare() {
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			if t, ok := d.(*ast.Type); ok && t.Kind != ast.Extend {
				c.declareType(t)
			}
		}
	}
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			if t, ok := d.(*ast.Type); ok && t.Kind == ast.Extend {
				if base := c.typeOf(t.Name); base != nil {
					base.bodies = append(base.bodies, t)
				}
			}
		}
	}
	for _, t := range c.typeOrder {
		for _, body := range t.bodies {
			t.partial = t.partial || body.Partial
			if body.Body == nil {
				continue
			}
			for _, m := range body.Body.Members {
				if r, ok := m.(*ast.Relation); ok {
					c.declareRelations(t, r)
				}
			}
		}
	}
}

func (c *compiler) declareType(node *ast.Type) {
	if first := c.types[node.Name.Text]; first != nil {
		c.report(node.Name.Place, node.Name.Width, "duplicate_type", fmt.Sprintf("type %s is declared twice", node.Name.Text), "",
			fmt.Sprintf("the first is at %s; write extend type %s to add to it", first.node.Name.Place, node.Name.Text))
		first.bodies = append(first.bodies, node)
		return
	}
	if len(c.typeOrder) == MaxTypes {
		c.report(node.Name.Place, node.Name.Width, "too_large", fmt.Sprintf("a schema has at most %d types", MaxTypes), "", "")
	}
	if len(c.typeOrder) >= MaxTypes {
		return
	}
	t := &typeSymbol{Type: &Type{Name: node.Name.Text, Doc: node.Doc(), Singleton: node.ID, Place: node.Name.Place}, node: node,
		bodies: []*ast.Type{node}, names: map[string]*relationSymbol{}}
	c.types[t.Name] = t
	c.typeOrder = append(c.typeOrder, t)
	c.typeNames = append(c.typeNames, t.Name)
}

func (c *compiler) declareRelations(t *typeSymbol, node *ast.Relation) {
	for _, name := range node.Names {
		if first := t.names[name.Text]; first != nil {
			c.report(name.Place, name.Width, "duplicate_name", fmt.Sprintf("%s is declared twice in type %s", name.Text, t.Name), "",
				fmt.Sprintf("the first is at %s; relations and permissions share one space of names", first.name.Place))
			continue
		}
		if len(c.relations) == MaxRelations {
			c.report(name.Place, name.Width, "too_large", fmt.Sprintf("a schema has at most %d relations and permissions", MaxRelations), "", "")
			return
		}
		r := &relationSymbol{node: node, name: name, typ: t, Relation: &Relation{Type: t.Type, Name: name.Text, Doc: node.Doc(),
			Deprecated: node.Deprecated, Permission: node.Permission, Place: name.Place}}
		t.names[name.Text] = r
		t.nameOrder = append(t.nameOrder, name.Text)
		t.Relations = append(t.Relations, r.Relation)
		c.relations = append(c.relations, r)
	}
}

// compileConditions compiles the conditions of all files.
func (c *compiler) compileConditions() {
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			node, ok := d.(*ast.Condition)
			if !ok {
				continue
			}
			if first := c.conditions[node.Name.Text]; first != nil {
				c.report(node.Name.Place, node.Name.Width, "duplicate_condition",
					fmt.Sprintf("condition %s is declared twice", node.Name.Text), "", "the first is at "+first.Place.String())
				continue
			}
			if len(c.conditionList) == MaxConditions {
				c.report(node.Name.Place, node.Name.Width, "too_large", fmt.Sprintf("a schema has at most %d conditions", MaxConditions), "", "")
				return
			}
			result := &Condition{Name: node.Name.Text, Doc: node.Doc(), Place: node.Name.Place}
			c.conditions[result.Name] = result
			c.conditionList = append(c.conditionList, result)
			if node.Body == "" { // the parser has said so
				continue
			}
			if c.celBytes += len(node.Body); c.celBytes > MaxConditionBytes {
				c.report(node.Name.Place, node.Name.Width, "too_large",
					fmt.Sprintf("the expressions of all conditions have more than %d bytes together", MaxConditionBytes), "", "")
				return
			}
			params := make([]condition.Param, len(node.Params))
			for i, p := range node.Params {
				params[i] = condition.Param{Name: p.Name.Text, Type: p.Type}
				c.params[p.Name.Text] = true
			}
			program, err := condition.Compile(result.Name, params, node.Body)
			if err != nil {
				c.conditionFaults(node, err)
				continue
			}
			result.Program = program
		}
	}
}

// conditionFaults places what is wrong inside of a condition in the file.
func (c *compiler) conditionFaults(node *ast.Condition, err error) {
	var compile *condition.CompileError
	if !errors.As(err, &compile) {
		c.report(node.Name.Place, node.Name.Width, condition.CodeSyntax, err.Error(), "", "")
		return
	}
	for _, f := range compile.Faults {
		place, width := node.Name.Place, node.Name.Width
		for _, p := range node.Params {
			if f.Param != "" && p.Name.Text == f.Param {
				place, width = p.Place, p.Width
			}
		}
		if f.Line > 0 {
			place, width = within(node.BodyPlace, f.Line, f.Column), 1
		}
		c.report(place, width, f.Code, fmt.Sprintf("condition %s: %s", node.Name.Text, f.Message), "", f.Suggestion)
	}
}

// within is the place of a line and column of a text that begins at start.
func within(start source.Place, line, column int) source.Place {
	if line == 1 {
		start.Column += column - 1
		return start
	}
	start.Line, start.Column = start.Line+line-1, column
	return start
}
