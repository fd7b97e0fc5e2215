package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// children pushes a frame over the atoms that were appended to pending since
// start, or answers at once where they cannot matter.
func (e *evaluation) children(id int32, op operator, acc value, start int) (result, bool, error) {
	f := frame{kind: childrenFrame, op: op, acc: acc, atom: id, start: int32(start), end: int32(len(e.pending))}
	f.pos = f.start
	if f.complete() {
		e.pending = e.pending[:start]
		return result{value: acc}, false, nil
	}
	e.frames = append(e.frames, f)
	return result{}, true, nil
}

// direct looks for the subject among the tuples of a relation: itself, the
// wildcard of its type, and then the usersets that it may be in.
func (e *evaluation) direct(id int32) (result, bool, error) {
	key := e.atoms[id].key
	s := &e.subjects[key.subject]
	r := e.schema.Relation(key.relation)
	acc, err := e.probe(never, key.node, r, s, s.ref, s.isStar)
	if err != nil {
		return result{}, false, err
	}
	if s.wildcard.Node != 0 && acc.lower != holds {
		if acc, err = e.probe(acc, key.node, r, s, s.wildcard, true); err != nil {
			return result{}, false, err
		}
	}
	if acc.lower == holds || !hasUsersets(r) {
		return result{value: acc}, false, nil
	}
	start := len(e.pending)
	if err := e.usersets(key, r); err != nil {
		return result{}, false, err
	}
	return e.children(id, anyOf, acc, start)
}

// chunkSize is how many edges of a list are read at a time.
const chunkSize = 64

// usersets appends the usersets of a relation that may hold the subject.
func (e *evaluation) usersets(key atomKey, r *schema.Relation) error {
	if e.chunk == nil {
		e.chunk = make([]tuple.Edge, chunkSize)
	}
	start, met, probe := len(e.pending), 0, 8 // after so many it is asked whether probing is shorter
	for from := tuple.Cursor(0); ; {
		n, next, err := e.graph.Usersets(key.node, r.ID, from, e.chunk)
		if err != nil {
			return err
		}
		for i := range e.chunk[:n] {
			if err := e.pace(); err != nil {
				return err
			}
			if err := e.climb(); err != nil {
				return err
			}
			if met++; e.reached != nil && met > probe {
				if done, err := e.probeUsersets(key, r, start, met); done || err != nil {
					return err
				}
				probe = 2 * met
			}
			e.userset(key, r, &e.chunk[i])
		}
		if from = next; from == 0 {
			return nil
		}
	}
}

// userset appends what one userset leads to, if the tuple counts.
func (e *evaluation) userset(key atomKey, r *schema.Relation, edge *tuple.Edge) {
	target := e.schema.Relation(edge.Ref.Relation)
	if target == nil || !e.admitted(edge, r, target.Type.ID, false) {
		return
	}
	child := atomKey{edge.Ref.Node, edge.Ref.Relation, key.subject}
	if e.reached != nil && !e.reached.has(child) {
		return
	}
	if g := e.guard(edge); g != never {
		e.pending = append(e.pending, pending{child, g.lowerWhy})
	}
}

// probeUsersets asks for the usersets that the subject may be in instead of
// reading all that the relation has. It says no where they are not known, are
// more than were read already, or may be any.
func (e *evaluation) probeUsersets(key atomKey, r *schema.Relation, start, read int) (done bool, err error) {
	candidates, ok := e.reached.usersets(key.subject, r)
	if !ok || len(candidates) > read {
		return false, nil
	}
	e.pending = e.pending[:start]
	for _, ref := range candidates {
		edge, ok, err := e.graph.Edge(key.node, r.ID, ref)
		if err != nil {
			return false, err
		}
		if ok {
			e.userset(key, r, &edge)
		}
	}
	return true, nil
}

// probe adds to acc what the tuple node#r@ref says, if there is one.
func (e *evaluation) probe(acc value, n tuple.Node, r *schema.Relation, s *subject, ref tuple.Ref, star bool) (value, error) {
	if s.typ == nil || !mentions(r, s.typ.ID, ref.Relation, star) {
		return acc, nil
	}
	edge, ok, err := e.graph.Edge(n, r.ID, ref)
	if err != nil || !ok || !e.admitted(&edge, r, s.typ.ID, star) {
		return acc, err
	}
	return e.or(acc, e.guard(&edge)), nil
}

// mentions says whether a relation's tuples may name a kind of subject at all.
func mentions(r *schema.Relation, t tuple.TypeID, relation tuple.RelationID, star bool) bool {
	for i := range r.Shapes {
		if s := &r.Shapes[i]; s.Type == t && s.Relation == relation && s.Wildcard == star {
			return true
		}
	}
	return false
}

func hasUsersets(r *schema.Relation) bool {
	for i := range r.Shapes {
		if r.Shapes[i].Relation != 0 {
			return true
		}
	}
	return false
}

// arrow follows the tuples of a relation to the objects on the other side: any
// of them, or every one and at least one.
func (e *evaluation) arrow(x *schema.Expr, id int32) (result, bool, error) {
	key := e.atoms[id].key
	tupleset := e.schema.Relation(x.Relation)
	if tupleset == nil {
		return result{value: never}, false, nil
	}
	mark := len(e.edges)
	defer func() { e.edges = e.edges[:mark] }()
	var err error
	if e.edges, err = e.live(e.edges, key.node, tupleset); err != nil {
		return result{}, false, err
	}
	edges := e.edges[mark:]
	e.coverage.follow(tupleset, len(edges))
	every := x.Kind == schema.Every
	if every && len(edges) == 0 {
		return result{value: never}, false, nil
	}
	start := len(e.pending)
	for i := range edges {
		t, _, err := e.typeOf(edges[i].Ref)
		if err != nil {
			return result{}, false, err
		}
		target, g := x.Target(t), e.guard(&edges[i])
		if target != 0 && g != never {
			e.pending = append(e.pending, pending{atomKey{edges[i].Ref.Node, target, key.subject}, g.lowerWhy})
		} else if every {
			e.pending = e.pending[:start]
			return result{value: never}, false, nil
		}
	}
	if every {
		return e.children(id, allOf, always, start)
	}
	return e.children(id, anyOf, never, start)
}

// owners asks the same of those that an acting subject acts for.
func (e *evaluation) owners(id int32, r *schema.Relation) (result, bool, error) {
	key := e.atoms[id].key
	mark, start := len(e.edges), len(e.pending)
	defer func() { e.edges = e.edges[:mark] }()
	s := e.subjects[key.subject]
	var err error
	if e.edges, err = e.ownerEdges(e.edges, &s, r); err != nil {
		return result{}, false, err
	}
	for i := range e.edges[mark:] {
		edge := &e.edges[mark+i]
		g := e.guard(edge)
		if g == never {
			continue
		}
		owner, err := e.subjectNumber(edge.Ref)
		if err != nil {
			return result{}, false, err
		}
		e.pending = append(e.pending, pending{atomKey{key.node, key.relation, owner}, g.lowerWhy})
	}
	return e.children(id, anyOf, never, start)
}

// sealed looks for the subject among those that the schema fixes.
func (e *evaluation) sealed(id int32, fixed []schema.FixedSubject) (result, bool, error) {
	key := e.atoms[id].key
	s := &e.subjects[key.subject]
	start := len(e.pending)
	for _, f := range fixed {
		n, err := e.fixedNode(f)
		if err != nil {
			return result{}, false, err
		}
		switch ref := (tuple.Ref{Node: n, Relation: f.Relation}); {
		case f.Relation != 0:
			e.pending = append(e.pending, pending{atomKey{n, f.Relation, key.subject}, 0})
		case ref == s.ref, s.isObject() && ref == s.wildcard:
			e.pending = e.pending[:start]
			return result{value: always}, false, nil
		}
	}
	return e.children(id, anyOf, never, start)
}
