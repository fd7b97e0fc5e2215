package engine

import "github.com/pemba-authz/pemba/schema"

// Coverage records which branches of a schema (schema.Expr.Branch) questions
// have walked. The zero value is ready; it is used by one goroutine.
type Coverage struct {
	evaluated   []bool
	contributed []bool
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
