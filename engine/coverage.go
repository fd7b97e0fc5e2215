package engine

import "github.com/pemba-authz/pemba/schema"

// Coverage records which branches of a schema (schema.Expr.Branch) questions
// have walked. The zero value is ready; it is used by one goroutine.
type Coverage struct {
	evaluated   []bool
	contributed []bool
	open        map[atomKey][]*schema.Expr // branches that a cycle decides, by the atom that they are part of
}

// Evaluated says whether a branch was walked at all.
func (c *Coverage) Evaluated(branch int) bool {
	return branch < len(c.evaluated) && c.evaluated[branch]
}

// Contributed says whether a branch ever held, or was conditional: what was
// always denied has decided nothing that its absence would not.
func (c *Coverage) Contributed(branch int) bool {
	return branch < len(c.contributed) && c.contributed[branch]
}

// result notes what a branch has come to. Where that is open until a cycle is
// closed, the branch counts if its atom holds then: finer it is not known.
func (c *Coverage) result(f *frame, atom atomKey, r result) {
	if f.expr == nil {
		return
	}
	x := f.expr.Expr
	if f.kind == operandsFrame {
		x = x.Operands[f.pos-1]
	}
	switch {
	case r.open == 0:
		c.hold(x, r.value)
	default:
		if c.open == nil {
			c.open = map[atomKey][]*schema.Expr{}
		}
		c.open[atom] = append(c.open[atom], x)
	}
}

// settle is told of every final value.
func (c *Coverage) settle(atom atomKey, v value) {
	if c == nil || len(c.open) == 0 {
		return
	}
	for _, x := range c.open[atom] {
		c.hold(x, v)
	}
	delete(c.open, atom)
}

// forget drops what waits for a cycle that is given up.
func (c *Coverage) forget() {
	if c != nil {
		c.open = nil
	}
}

// follow notes that the tuples of a relation were followed, by an arrow or to an
// owner: its bracket was walked, and counts where there were any.
func (c *Coverage) follow(r *schema.Relation, edges int) {
	if c == nil || r.Rewrite == nil {
		return
	}
	c.walk(r.Rewrite)
	if edges > 0 {
		c.hold(r.Rewrite, always)
	}
}

func (c *Coverage) hold(x *schema.Expr, v value) {
	if v.lower != denied {
		c.contributed = mark(c.contributed, x.Branch)
	}
}

func (c *Coverage) walk(x *schema.Expr) {
	if c != nil {
		c.evaluated = mark(c.evaluated, x.Branch)
	}
}

func mark(list []bool, branch int) []bool {
	for len(list) <= branch {
		list = append(list, false)
	}
	list[branch] = true
	return list
}
