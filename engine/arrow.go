package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// arrow follows the tuples of a relation to the objects on the other side: any
// of them, or every one and at least one.
func (e *evaluation) arrow(x *rewrite, id int32) (result, bool, error) {
	if x.tupleset == nil {
		return result{value: never}, false, nil
	}
	start, every := len(e.pending), x.Kind == schema.Every
	met, denies, err := e.follow(x, e.atoms[id].key)
	if err != nil {
		return result{}, false, err
	}
	e.coverage.follow(x.tupleset.of, met)
	if every && (met == 0 || denies) {
		e.pending = e.pending[:start]
		return result{value: never}, false, nil
	}
	if every {
		return e.children(id, allOf, always, start)
	}
	return e.children(id, anyOf, never, start)
}

// follow appends what the live tuples of an arrow lead to, and returns how many
// there are and whether one of them denies by itself.
func (e *evaluation) follow(x *rewrite, key atomKey) (met int, denies bool, err error) {
	start, read, probe := len(e.pending), 0, 8
	for from := tuple.Cursor(0); ; {
		n, next, err := e.graph.Subjects(key.node, x.tupleset.of.ID, from, e.chunk)
		if err != nil {
			return met, denies, err
		}
		for i := range e.chunk[:n] {
			if err := e.pace(); err != nil {
				return met, denies, err
			}
			edge := &e.chunk[i]
			t, star, err := e.typeOf(edge.Ref)
			if err != nil {
				return met, denies, err
			}
			if star || !e.admitted(edge, x.tupleset.of, t, false) {
				continue
			}
			met++
			denies = e.lead(x, key, edge, t) || denies
		}
		if from = next; from == 0 {
			return met, denies, nil
		}
		if read += n; read > probe && x.Kind == schema.Arrow && !e.plain {
			if err := e.climb(everything); err != nil {
				return met, denies, err
			}
			if shorter := e.probeArrow(x, key, read); shorter {
				e.pending = e.pending[:start]
				return met, denies, e.backwards(x, key)
			}
			probe = 2 * read
		}
	}
}

// lead appends what one live tuple of an arrow leads to, and says whether it
// denies by itself: there is no such name, or the condition is false.
func (e *evaluation) lead(x *rewrite, key atomKey, edge *tuple.Edge, t tuple.TypeID) (denies bool) {
	target, g := x.Target(t), e.guard(edge)
	if target == 0 || g == never {
		return true
	}
	e.pending = append(e.pending, pending{atomKey{edge.Ref.Node, target, key.subject}, g.lowerWhy})
	return false
}

// probeArrow says whether what the subject may be in on the other side of an
// arrow is known, and less than what was read of its tuples.
func (e *evaluation) probeArrow(x *rewrite, key atomKey, read int) bool {
	if !e.reach.knows(key.subject, everything) {
		return false
	}
	count := 0
	for _, target := range x.Targets {
		if end := e.reach.end(target.Relation, key.subject); end != nil {
			if end.everywhere {
				return false
			}
			count += int(end.count)
		}
	}
	return count <= read
}

// backwards asks for the tuples of an arrow that lead to where the subject may be
// in, instead of reading all that there are.
func (e *evaluation) backwards(x *rewrite, key atomKey) error {
	of := x.tupleset.of
	for _, target := range x.Targets {
		for i := e.reach.first(target.Relation, key.subject); i >= 0; i = e.reach.met[i].next {
			n := e.reach.met[i].key.node
			for j := range of.Shapes {
				s := &of.Shapes[j]
				if s.Type != target.Type || s.Wildcard {
					continue
				}
				if err := e.pace(); err != nil {
					return err
				}
				edge, ok, err := e.graph.Edge(key.node, of.ID, tuple.Ref{Node: n, Relation: s.Relation})
				if err != nil {
					return err
				}
				if ok && e.admitted(&edge, of, target.Type, false) {
					e.lead(x, key, &edge, target.Type)
				}
			}
		}
	}
	return nil
}
