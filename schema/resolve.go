package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// rewrites resolves the expressions of all relations and permissions. Shapes
// come first, since arrows look at other relations'.
func (c *compiler) rewrites() {
	for _, r := range c.relations {
		if r.node.Expr != nil {
			c.bracket(r)
		}
	}
	for _, r := range c.relations {
		if r.node.Expr != nil && c.nodes <= MaxNodes {
			r.Rewrite = c.expr(r, r.node.Expr)
		}
	}
}

// spend counts nodes of rewrites, since a list of names multiplies the
// expression that they share.
func (c *compiler) spend(nodes int, place source.Place) bool {
	before := c.nodes
	c.nodes += nodes
	if before <= MaxNodes && c.nodes > MaxNodes {
		c.report(place, 1, "too_large", fmt.Sprintf("the rewrites of a schema have at most %d nodes", MaxNodes), "",
			"name what many relations share as a permission of its own")
	}
	return c.nodes <= MaxNodes
}

// bracket finds the one […] of a relation, or that a permission has none, and
// resolves what it admits.
func (c *compiler) bracket(r *relationSymbol) {
	found := directs(r.node.Expr, nil)
	switch {
	case r.Permission && len(found) > 0:
		c.report(found[0].Place, 1, "bracket_in_permission",
			fmt.Sprintf("permission %s admits tuples, and a permission is computed", r.Name), "",
			fmt.Sprintf("write relation %s: …, or give the bracket to a relation of its own", r.Name))
		return
	case r.Permission:
		return
	case len(found) == 0:
		c.report(r.name.Place, r.name.Width, "bracket_missing", fmt.Sprintf("relation %s says nowhere what its tuples may name", r.Name),
			"one bracket, like [user]", fmt.Sprintf("write permission %s = … if no tuple is to write it", r.Name))
		return
	case len(found) > 1:
		c.report(found[1].Place, 1, "bracket_twice", fmt.Sprintf("relation %s has more than one bracket", r.Name),
			"one bracket with all that its tuples may name", "")
		return
	}
	if !c.spend(len(found[0].Subjects), found[0].Place) {
		return
	}
	seen := make(map[Shape]bool, len(found[0].Subjects))
	for _, s := range found[0].Subjects {
		shape, ok := c.shape(s)
		if !ok {
			r.unsure = true
			continue
		}
		if seen[shape] {
			c.report(s.Place, s.Type.Width, "duplicate_shape", fmt.Sprintf("relation %s admits the same subject twice", r.Name), "", "drop one of them")
			continue
		}
		seen[shape] = true
		if found[0].AtMost > 0 && (shape.Wildcard || shape.Relation != 0 || s.Relation.Text != "") {
			c.report(s.Place, s.Type.Width, "at_most_subject",
				"at most counts tuples, and one tuple with a wildcard or userset stands for many subjects",
				"only objects in a bracket with at most", "")
		}
		r.Shapes = append(r.Shapes, shape)
	}
	r.AtMost = found[0].AtMost
}

// directs gathers the brackets of an expression.
func directs(e ast.Expr, found []*ast.Direct) []*ast.Direct {
	switch e := e.(type) {
	case *ast.Direct:
		found = append(found, e)
	case *ast.Operation:
		for _, o := range e.Operands {
			found = directs(o, found)
		}
	}
	return found
}

func (c *compiler) shape(s ast.Subject) (Shape, bool) {
	t := c.typeOf(s.Type)
	shape := Shape{Wildcard: s.Wildcard, Expiry: Expiry(s.Expiry)}
	ok := t != nil
	if ok {
		shape.Type = t.ID
		if s.Relation.Text != "" {
			if r := c.relationOf(t, s.Relation); r != nil {
				shape.Relation = r.ID
			} else {
				ok = false
			}
		}
	}
	if s.Condition.Text != "" {
		if condition := c.conditions[s.Condition.Text]; condition != nil {
			shape.Condition = condition.ID
		} else {
			c.unknown(s.Condition, "unknown_condition", fmt.Sprintf("there is no condition %q", s.Condition.Text), c.conditionNames())
			ok = false
		}
	}
	return shape, ok
}

func (c *compiler) conditionNames() []string {
	names := make([]string, 0, len(c.conditionList)+1)
	for _, condition := range c.conditionList {
		names = append(names, condition.Name)
	}
	return append(names, "expiry")
}

// expr resolves one expression for the relation that it defines.
func (c *compiler) expr(r *relationSymbol, node ast.Expr) *Expr {
	e := &Expr{Place: node.At()}
	if !c.spend(1, e.Place) {
		return e
	}
	switch node := node.(type) {
	case *ast.Operation:
		e.Kind = map[ast.Op]Kind{ast.Or: Union, ast.And: Intersection, ast.Except: Exclusion}[node.Op]
		for _, o := range node.Operands {
			e.Operands = append(e.Operands, c.expr(r, o))
		}
	case *ast.Direct:
		e.Kind = Direct
	case *ast.Ref:
		if target := c.relationOf(r.typ, node.Name); target != nil {
			e.Kind, e.Relation = Computed, target.ID
		}
	case *ast.Arrow:
		c.arrow(r, node, e)
	case *ast.Fixed:
		name := node.Relation
		if node.Same {
			name.Text = r.Name
		}
		if t := c.object(node.Object); t != nil {
			if target := c.relationOf(t, name); target != nil {
				e.Kind, e.Relation = Fixed, target.ID
				e.Object = FixedSubject{Type: t.ID, ID: node.Object.ID}
			}
		}
	case *ast.Self:
		e.Kind = Self
	case *ast.Nobody:
		return e
	}
	r.unsure = r.unsure || e.Kind == Nobody
	return e
}

// arrow resolves NAME->NAME: the relation that is walked, and what is read on
// the other side by the type found there.
func (c *compiler) arrow(r *relationSymbol, node *ast.Arrow, e *Expr) {
	walked := c.relationOf(r.typ, node.Relation)
	if walked == nil || !c.walkable(walked, node.Relation, "arrow_not_walkable") {
		return
	}
	name := node.Target
	if node.Same {
		name.Text = r.Name
	}
	types := c.leadsTo(walked)
	if !c.spend(len(types), e.Place) {
		return
	}
	var without *typeSymbol
	var candidates []string
	unsure := len(types) == 0
	for _, t := range types {
		if target := t.names[name.Text]; target != nil {
			e.Targets = append(e.Targets, Target{Type: t.ID, Relation: target.ID})
			continue
		}
		unsure = unsure || t.partial
		if without == nil {
			without = t
		}
		if len(candidates) < 1000 {
			candidates = append(candidates, t.nameOrder...)
		}
	}
	e.Kind, e.Relation = Arrow, walked.ID
	if node.Every {
		e.Kind = Every
	}
	switch {
	case unsure:
	case len(e.Targets) == 0:
		c.unknown(name, "unknown_relation", fmt.Sprintf("%s leads to %s, where there is no relation or permission %q",
			walked.Name, typeNames(types), name.Text), candidates)
	case node.Every && without != nil:
		c.unknown(name, "every_missing", fmt.Sprintf("every needs %q on all types that %s leads to, and %s has none",
			name.Text, walked.Name, without.Name), without.nameOrder)
	}
}

func typeNames(types []*typeSymbol) string {
	text := ""
	for i, t := range types {
		if i == 3 && len(types) > 4 {
			return fmt.Sprintf("%s and %d more types", text, len(types)-i)
		}
		if i > 0 {
			text += ", "
		}
		text += t.Name
	}
	return text
}

// leadsTo returns the types of the subjects that a relation admits, each once:
// a userset leads to its object.
func (c *compiler) leadsTo(r *relationSymbol) []*typeSymbol {
	var types []*typeSymbol
	seen := map[tuple.TypeID]bool{}
	d, ok := r.node.Expr.(*ast.Direct)
	if !ok {
		return nil
	}
	for _, s := range d.Subjects {
		if t := c.types[s.Type.Text]; t != nil && !seen[t.ID] {
			seen[t.ID] = true
			types = append(types, t)
		}
	}
	return types
}

// walkable says whether an arrow may walk a relation, and reports why it may not.
func (c *compiler) walkable(r *relationSymbol, at ast.Name, code string) bool {
	if r.node.Expr == nil {
		return false // reported by the parser
	}
	d, isDirect := r.node.Expr.(*ast.Direct)
	reason, suggestion := "", ""
	switch {
	case r.Permission:
		reason = fmt.Sprintf("%s is a permission, and only the tuples of a relation can be walked", r.Name)
	case !isDirect:
		reason = fmt.Sprintf("%s has a rewrite beside its bracket, and only tuples can be walked", r.Name)
		suggestion = "give the bracket to a relation of its own, and walk that"
	default:
		for _, s := range d.Subjects {
			if s.Wildcard {
				reason = fmt.Sprintf("%s admits %s:*, and a wildcard leads to no object", r.Name, s.Type.Text)
				break
			}
		}
	}
	if reason != "" {
		c.report(at.Place, at.Width, code, reason, "a relation that is one bracket without wildcard", suggestion)
	}
	return reason == ""
}
