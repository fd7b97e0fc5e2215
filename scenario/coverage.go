package scenario

import (
	"slices"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

// Coverage says which branches of a schema's rewrites the assertions exercised. A
// branch is a term: the bracket of a relation, a name, an arrow, a userset that
// the schema fixes, self. It is exercised when it was evaluated and held for
// somebody at least once, or would have under a condition: a term that never
// holds decides nothing, on either side of an except.
type Coverage struct {
	Branches  int      `json:"branches"`
	Exercised int      `json:"exercised"`
	Missed    []Branch `json:"missed"`
}

// Branch is a term of a rewrite that no assertion exercised.
type Branch struct {
	Place    string `json:"place"`    // file:line:column
	Relation string `json:"relation"` // type#name that it is part of
	Text     string `json:"text"`
	Reason   string `json:"reason"` // "never evaluated", or "never held"
	place    source.Place
}

func covered(s *schema.Schema, recorded *engine.Coverage) *Coverage {
	type state struct {
		Branch
		evaluated, held bool
	}
	// Names that share an expression share its terms: one place is one branch.
	var branches []*state
	byPlace := map[source.Place]*state{}
	for _, t := range s.Types {
		for _, r := range t.Relations {
			eachExpr(r.Rewrite, func(x *schema.Expr) {
				if len(x.Operands) > 0 || x.Kind == schema.Nobody {
					return
				}
				b := byPlace[x.Place]
				if b == nil || x.Place == (source.Place{}) {
					b = &state{Branch: Branch{Place: x.Place.String(), Relation: t.Name + "#" + r.Name, Text: s.Text(r, x), place: x.Place}}
					byPlace[x.Place] = b
					branches = append(branches, b)
				}
				b.evaluated = b.evaluated || recorded.Evaluated(x.Branch)
				b.held = b.held || recorded.Contributed(x.Branch)
			})
		}
	}
	slices.SortStableFunc(branches, func(a, b *state) int { return a.place.Compare(b.place) })
	c := &Coverage{Branches: len(branches), Missed: []Branch{}}
	for _, b := range branches {
		if b.held {
			c.Exercised++
			continue
		}
		b.Reason = "never evaluated"
		if b.evaluated {
			b.Reason = "never held"
		}
		c.Missed = append(c.Missed, b.Branch)
	}
	return c
}
