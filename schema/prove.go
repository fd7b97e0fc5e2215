package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// prove proves every claim of a module over its type graph, whatever the tuples
// will be. A claim that cannot be proven is an error that shows the path, or the
// place where the proof ended. A proof is sound; it is not complete: some claims
// hold and cannot be proven from the structure alone.
func prove(m *Module) source.Diagnostics {
	var ds source.Diagnostics
	if len(m.Claims) == 0 {
		return nil
	}
	g := newTypeGraph(m.Schema)
	p := &prover{graph: g, known: map[goal]bool{}}
	excerpt := source.Excerpts(m.Files)
	for _, c := range m.Claims {
		left, right := m.Schema.Relation(c.Left), m.Schema.Relation(c.Right)
		if left == nil || right == nil {
			continue // the resolver has said so
		}
		var d *source.Diagnostic
		switch c.Kind {
		case NeverGrants:
			d = proveNeverGrants(g, left, right)
		case NeverHolds:
			d = proveHolds(p, disjoint, left, right)
		case AlwaysHolds:
			d = proveHolds(p, subset, left, right)
		}
		if d != nil {
			d.Place = c.Place
			d.Excerpt = excerpt(c.Place)
			ds = append(ds, d)
		}
	}
	return ds
}

// proveNeverGrants looks for a way through the type graph.
func proveNeverGrants(g *typeGraph, left, right *Relation) *source.Diagnostic {
	path := g.path(left, right)
	if path == nil {
		return nil
	}
	return &source.Diagnostic{
		Code:       "claim_refuted",
		Message:    fmt.Sprintf("%s grants %s, by the path %s", qualified(left), qualified(right), pathText(path)),
		Expected:   "no path between the two, but under the right of an except",
		Suggestion: "break the path at one of its places, or drop the claim",
	}
}

// pathText joins the names of a path, the middle left out where it is long.
func pathText(path []string) string {
	if most := 20; len(path) > most {
		path = append(append(path[:most/2:most/2], "…"), path[len(path)-most/2:]...)
	}
	return strings.Join(path, " → ")
}

// proveHolds proves the claim for every type of subject that can be on its left.
func proveHolds(p *prover, kind goalKind, left, right *Relation) *source.Diagnostic {
	p.spent += p.steps
	p.steps, p.stuck = 0, ""
	if p.spent > maxSchemaSteps {
		return &source.Diagnostic{
			Code:       "claim_unproven",
			Message:    "not tried: the proofs of the claims before took too long together",
			Suggestion: "drop the claims that take long, or make what they are about simpler",
		}
	}
	g := p.graph
	for _, t := range g.schema.Types {
		if !g.subjects[left.ID].has(t.ID) {
			continue
		}
		start := goal{
			kind:    kind,
			subject: t.ID,
			left:    term{relation: left, object: g.anObject(left.Type, theOne)},
			right:   term{relation: right, object: g.anObject(right.Type, claimed(left, right))},
		}
		if p.prove(start) {
			continue
		}
		what := "can be in both %s and %s"
		if kind == subset {
			what = "in %s need not be in %s"
		}
		message := fmt.Sprintf("cannot be proven: a %s "+what, t.Name, qualified(left), qualified(right))
		if p.steps > maxProofSteps {
			message += "; the proof grew too large and was given up"
		} else if p.stuck != "" {
			message += ": " + p.stuck
		}
		return &source.Diagnostic{
			Code:       "claim_unproven",
			Message:    message,
			Expected:   "that the rewrites alone make it so, whatever the tuples are",
			Suggestion: "say it in the rewrite (with and, or except), or drop the claim",
		}
	}
	return nil
}

// claimed says which object the right side of a claim is about: the left's own
// when both are names of one type, any other object otherwise.
func claimed(left, right *Relation) objectVariable {
	if left.Type == right.Type {
		return theOne
	}
	return another
}

func qualified(r *Relation) string { return r.Type.Name + "#" + r.Name }

// typeGraph is the schema with what proofs ask of it.
type typeGraph struct {
	schema   *Schema
	usedBy   [][]*Relation // by relation: whose sets it is part of
	subjects subjectTypes
	sealed   map[sealedKey]*Expr
}

type sealedKey struct {
	relation tuple.RelationID
	object   string
}

func newTypeGraph(s *Schema) *typeGraph {
	return &typeGraph{schema: s, subjects: computeSubjectTypes(s), sealed: map[sealedKey]*Expr{}}
}

// anObject is the object of a term: the only one of a singleton, or a variable.
func (g *typeGraph) anObject(t *Type, v objectVariable) objectTerm {
	if t.Singleton != "" {
		return objectTerm{id: t.Singleton}
	}
	return objectTerm{variable: v}
}

// path returns how right can be reached from left, as the names on the way.
func (g *typeGraph) path(left, right *Relation) []string {
	if g.usedBy == nil {
		g.usedBy = make([][]*Relation, len(g.schema.Relations))
		for _, r := range g.schema.Relations {
			if r == nil {
				continue
			}
			for _, id := range r.grantedBy() {
				g.usedBy[id] = append(g.usedBy[id], r)
			}
		}
	}
	from := map[*Relation]*Relation{left: nil}
	for queue := []*Relation{left}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		if at == right {
			var names []string
			for r := at; r != nil; r = from[r] {
				names = append(names, qualified(r))
			}
			slices.Reverse(names)
			return names
		}
		for _, next := range g.usedBy[at.ID] {
			if _, seen := from[next]; !seen {
				from[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// grantedBy lists what can put a subject into the relation: everything that its
// rewrite reads but under the right of an except, and the owners of keys.
func (r *Relation) grantedBy() []tuple.RelationID {
	var ids []tuple.RelationID
	var walk func(*Expr)
	walk = func(e *Expr) {
		switch e.Kind {
		case Direct:
			for _, shape := range r.Shapes {
				if shape.Relation != 0 {
					ids = append(ids, shape.Relation)
				}
			}
		case Computed, Fixed:
			ids = append(ids, e.Relation)
		case Arrow, Every:
			for _, t := range e.Targets {
				ids = append(ids, t.Relation)
			}
		case Union, Intersection:
			for _, o := range e.Operands {
				walk(o)
			}
		case Exclusion:
			walk(e.Operands[0])
		}
	}
	walk(r.Rewrite)
	for _, subjects := range r.Sealed {
		for _, s := range subjects {
			if s.Relation != 0 {
				ids = append(ids, s.Relation)
			}
		}
	}
	return ids
}
