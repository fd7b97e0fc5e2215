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
	c := &Coverage{Missed: []Branch{}}
	seen := map[int]bool{} // names that share an expression share its branches
	for _, t := range s.Types {
		for _, r := range t.Relations {
			eachExpr(r.Rewrite, func(x *schema.Expr) {
				if len(x.Operands) > 0 || x.Kind == schema.Nobody || seen[x.Branch] {
					return
				}
				seen[x.Branch] = true
				c.Branches++
				if recorded.Contributed(x.Branch) {
					c.Exercised++
					return
				}
				reason := "never evaluated"
				if recorded.Evaluated(x.Branch) {
					reason = "never held"
				}
				c.Missed = append(c.Missed, Branch{Place: x.Place.String(), Relation: t.Name + "#" + r.Name, Text: s.Text(r, x),
					Reason: reason, place: x.Place})
			})
		}
	}
	slices.SortStableFunc(c.Missed, func(a, b Branch) int { return a.place.Compare(b.place) })
	return c
}
