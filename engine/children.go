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
	if neutral := op == anyOf && acc == never || op == allOf && acc == always; neutral && len(e.pending) == start+1 && e.pending[start].why == 0 {
		key := e.pending[start].key // one is any and all of one
		e.pending = e.pending[:start]
		return e.request(key, id)
	}
	e.frames = append(e.frames, f)
	return result{}, true, nil
}

// direct looks for the subject among the tuples of an atom's relation.
func (e *evaluation) direct(id int32) (result, bool, error) {
	key := e.atoms[id].key
	start := len(e.pending)
	acc, err := e.look(key, e.plan.at(key.relation))
	if err != nil {
		return result{}, false, err
	}
	return e.children(id, anyOf, acc, start)
}

// look looks for the subject among the tuples of a relation: itself, the wildcard
// of its type, and then the usersets that it may be in, which are left in pending.
func (e *evaluation) look(key atomKey, p *relationPlan) (value, error) {
	if lacks, err := e.graph.lacks(key.node, p.of.ID); lacks || err != nil {
		return never, err
	}
	row, whole, err := e.graph.wholeRow(key.node)
	if err != nil {
		return never, err
	}
	if whole {
		return e.lookInRow(key, p, row)
	}
	s := &e.subjects[key.subject]
	acc, err := e.probe(never, key.node, p.of, s, s.ref, s.isStar)
	if err != nil {
		return never, err
	}
	if s.wildcard.Node != 0 && acc.lower != holds {
		if acc, err = e.probe(acc, key.node, p.of, s, s.wildcard, true); err != nil {
			return never, err
		}
	}
	if acc.lower == holds || len(p.usersets) == 0 {
		return acc, nil
	}
	start := len(e.pending)
	acc, err = e.usersets(acc, key, p)
	if acc.lower == holds {
		e.pending = e.pending[:start]
	}
	return acc, err
}

// lookInRow is look where all tuples of the object are at hand.
func (e *evaluation) lookInRow(key atomKey, p *relationPlan, row *row) (value, error) {
	s, acc, named := &e.subjects[key.subject], never, false
	for i := range row.edges[:row.count] {
		edge := &row.edges[i]
		if edge.Relation != p.of.ID {
			continue
		}
		star := s.isStar
		if edge.Ref != s.ref {
			if star = edge.Ref == s.wildcard; !star {
				named = named || edge.Ref.Relation != 0
				continue
			}
		}
		if s.typ != nil && e.admitted(edge, p.of, s.typ.ID, star) {
			acc = e.or(acc, e.guard(edge))
		}
	}
	if acc.lower == holds || !named || len(p.usersets) == 0 {
		return acc, nil
	}
	if err := e.climb(carriers); err != nil { // it may read other rows
		return acc, err
	}
	if _, err := e.graph.read(key.node); err != nil {
		return acc, err
	}
	start := len(e.pending)
	for i := range row.edges[:row.count] {
		edge := &row.edges[i]
		if edge.Relation != p.of.ID || edge.Ref.Relation == 0 || edge.Ref == s.ref {
			continue
		}
		if err := e.pace(); err != nil {
			return acc, err
		}
		if acc = e.userset(acc, key, p, edge); acc.lower == holds {
			e.pending = e.pending[:start]
			break
		}
	}
	return acc, nil
}

// chunkSize is how many edges of a list are read at a time.
const chunkSize = 64

// usersets adds to acc the usersets of a relation that certainly hold the
// subject, and appends those to pending that may.
func (e *evaluation) usersets(acc value, key atomKey, p *relationPlan) (value, error) {
	start, met, probe := len(e.pending), 0, 8 // after so many it is asked whether probing is shorter
	for from := tuple.Cursor(0); ; {
		n, next, err := e.graph.Usersets(key.node, p.of.ID, from, e.chunk)
		if err != nil || n == 0 && next == 0 {
			return acc, err
		}
		if err := e.climb(carriers); err != nil {
			return acc, err
		}
		for i := range e.chunk[:n] {
			if err := e.pace(); err != nil {
				return acc, err
			}
			if met++; met > probe && e.reach.knows(key.subject, carriers) {
				if count, listed := e.reach.usersets(key.subject, p); listed && count <= met {
					e.pending = e.pending[:start]
					return e.probeUsersets(acc, key, p)
				}
				probe = 2 * met
			}
			acc = e.userset(acc, key, p, &e.chunk[i])
			if acc.lower == holds {
				return acc, nil
			}
		}
		if from = next; from == 0 {
			return acc, nil
		}
	}
}

// userset takes one userset, if the tuple counts.
func (e *evaluation) userset(acc value, key atomKey, p *relationPlan, edge *tuple.Edge) value {
	target := e.plan.at(edge.Ref.Relation)
	if target == nil || !e.admitted(edge, p.of, target.of.Type.ID, false) {
		return acc
	}
	child := atomKey{edge.Ref.Node, edge.Ref.Relation, key.subject}
	at := open
	if !e.plain {
		at = e.reach.chance(child, target)
	}
	if at == none {
		return acc
	}
	switch g := e.guard(edge); {
	case g == never:
	case at == certain:
		acc = e.or(acc, g)
	default:
		e.pending = append(e.pending, pending{child, g.lowerWhy})
	}
	return acc
}

// probeUsersets asks for the usersets that the subject may be in instead of
// reading all that the relation has.
func (e *evaluation) probeUsersets(acc value, key atomKey, p *relationPlan) (value, error) {
	for _, relation := range p.usersets {
		for i := e.reach.first(relation, key.subject); i >= 0; i = e.reach.met[i].next {
			if err := e.pace(); err != nil {
				return acc, err
			}
			userset := tuple.Ref{Node: e.reach.met[i].key.node, Relation: relation}
			edge, ok, err := e.graph.Edge(key.node, p.of.ID, userset)
			if err != nil {
				return acc, err
			}
			if !ok {
				continue
			}
			if acc = e.userset(acc, key, p, &edge); acc.lower == holds {
				return acc, nil
			}
		}
	}
	return acc, nil
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
