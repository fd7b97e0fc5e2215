package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// tests resolves the embedded tests. Their tuples are admitted like written ones.
func (c *compiler) tests(m *Module) []*Test {
	var tests []*Test
	first := map[string]*ast.Test{}
	for _, tree := range c.trees {
		for _, d := range tree.Decls {
			node, ok := d.(*ast.Test)
			if !ok {
				continue
			}
			if other := first[node.Name]; other != nil {
				c.report(node.Place, len("test"), "duplicate_test", fmt.Sprintf("there are two tests %q", node.Name), "",
					"the first is at "+other.Place.String())
			}
			first[node.Name] = node
			tests = append(tests, c.test(node))
		}
	}
	return tests
}

func (c *compiler) test(node *ast.Test) *Test {
	t := &Test{Name: node.Name, Place: node.Place}
	seen := map[tuple.Key]bool{}
	count := map[tuple.Key]int{} // tuples by object and relation
	for _, s := range node.Statements {
		switch s := s.(type) {
		case *ast.Given:
			given, ok := c.given(s)
			if !ok {
				continue
			}
			if seen[given.Tuple.Key] {
				c.report(s.Userset.Object.Place, s.Userset.Object.Width, "duplicate_tuple", fmt.Sprintf("%s is given twice", given.Tuple.Key), "", "")
				continue
			}
			seen[given.Tuple.Key] = true
			userset := tuple.Key{Object: given.Tuple.Object, Relation: given.Tuple.Relation}
			count[userset]++
			if most := c.admitter.Relation(given.Tuple.Object.Type, given.Tuple.Relation).AtMost; most > 0 && count[userset] == most+1 {
				c.report(s.Userset.Object.Place, s.Userset.Object.Width, "at_most", fmt.Sprintf("%s#%s has at most %d subjects, and more are given",
					given.Tuple.Object, given.Tuple.Relation, most), "", "")
			}
			t.Given = append(t.Given, given)
		case *ast.Assert:
			t.Assertions = append(t.Assertions, c.assertion(s))
		}
	}
	return t
}

func subjectOf(u ast.Userset) tuple.Subject {
	return tuple.Subject{Type: u.Object.Type, ID: u.Object.ID, Relation: u.Relation.Text}
}

// given makes the tuple and admits it; a name that could not be read is not
// called unknown.
func (c *compiler) given(node *ast.Given) (Given, bool) {
	g := Given{Place: node.Place}
	g.Tuple.Object = tuple.Object{Type: node.Userset.Object.Type, ID: node.Userset.Object.ID}
	g.Tuple.Relation = node.Userset.Relation.Text
	g.Tuple.Subject = subjectOf(node.Subject)
	g.Tuple.Condition.Name = node.Condition.Text
	if node.Context != "" {
		context, err := tuple.CanonicalContext([]byte(node.Context))
		if err != nil {
			return g, false // reported by the parser
		}
		g.Tuple.Condition.Context = context
	}
	if node.Until != "" {
		until, err := tuple.ParseTime(node.Until)
		if err != nil {
			return g, false // reported by the parser
		}
		g.Tuple.Expires = until
	}
	refusal := c.admitter.Admit(g.Tuple)
	if refusal == nil {
		return g, true
	}
	place, width := node.Userset.Object.Place, node.Userset.Object.Width
	switch refusal.Field {
	case "relation":
		place, width = node.Userset.Relation.Place, node.Userset.Relation.Width
	case "subject", "expires":
		place, width = node.Subject.Object.Place, node.Subject.Object.Width
	case "condition", "context":
		place, width = node.Condition.Place, node.Condition.Width
	}
	if place.Line == 0 { // the tuple lacks what is at fault
		place, width = node.Subject.Object.Place, node.Subject.Object.Width
	}
	t := c.types[g.Tuple.Object.Type]
	if t == nil || !t.partial && !(t.names[g.Tuple.Relation] != nil && t.names[g.Tuple.Relation].unsure) {
		c.report(place, width, string(refusal.Code), refusal.Message, refusal.Expected, refusal.Suggestion)
	}
	return g, false
}

func (c *compiler) assertion(node *ast.Assert) *Assertion {
	kinds := map[ast.AssertKind]AssertionKind{ast.Allow: Allow, ast.Deny: Deny, ast.Conditional: IsConditional, ast.Only: Only}
	a := &Assertion{Kind: kinds[node.Kind], Place: node.Place}
	for _, s := range node.Subjects {
		if t := c.object(s.Object); t != nil && s.Relation.Text != "" {
			c.relationOf(t, s.Relation)
		}
		a.Subjects = append(a.Subjects, subjectOf(s))
	}
	checked := map[string]bool{}
	for _, o := range node.Objects {
		a.Objects = append(a.Objects, tuple.Object{Type: o.Type, ID: o.ID})
		t := c.object(o)
		if t == nil || checked[t.Name] {
			continue
		}
		checked[t.Name] = true
		for _, name := range node.Names {
			c.relationOf(t, name)
		}
	}
	for _, name := range node.Names {
		a.Names = append(a.Names, name.Text)
	}
	if node.Context != "" {
		context, err := tuple.CanonicalContext([]byte(node.Context))
		if err == nil { // else reported by the parser
			a.Context = context
		}
	}
	if node.Time != "" {
		at, err := tuple.ParseTime(node.Time)
		if err == nil { // else reported by the parser
			a.At = at
		}
	}
	for _, name := range node.Missing {
		if !c.params[name.Text] {
			c.unknown(name, "unknown_parameter", fmt.Sprintf("no condition has a parameter %q", name.Text), c.paramNames())
		}
		a.Missing = append(a.Missing, name.Text)
	}
	return a
}

// paramNames lists the parameters of all conditions in the order of the source.
func (c *compiler) paramNames() []string {
	var names []string
	for _, condition := range c.conditionList {
		if condition.Program == nil {
			continue
		}
		for _, p := range condition.Program.Params {
			names = append(names, p.Name)
		}
	}
	return names
}
