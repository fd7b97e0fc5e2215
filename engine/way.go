package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// leafWays lists what a leaf of an atom's rewrite looks at, also tuples that do
// not count any more.
func (x *explainer) leafWays(id int32, r *schema.Relation, expr *schema.Expr) ([]way, error) {
	key := x.e.atoms[id].key
	switch expr.Kind {
	case schema.Computed:
		return []way{{key: atomKey{key.node, expr.Relation, key.subject}}}, nil
	case schema.Fixed:
		n, err := x.e.fixedNode(expr.Object)
		return []way{{key: atomKey{n, expr.Relation, key.subject}}}, err
	case schema.Direct:
		return x.directWays(key, r)
	case schema.Arrow, schema.Every:
		return x.arrowWays(key, expr)
	}
	return nil, nil
}

// directWays lists the tuples that name the subject or its wildcard, and those
// of usersets.
func (x *explainer) directWays(key atomKey, r *schema.Relation) ([]way, error) {
	s := x.e.subjects[key.subject]
	var ways []way
	for _, ref := range []tuple.Ref{s.ref, s.wildcard} {
		if ref.Node == 0 {
			continue
		}
		edge, ok, err := x.e.graph.Edge(key.node, r.ID, ref)
		if err != nil {
			return nil, err
		}
		if ok {
			w, err := x.edgeWay(key.node, r, edge)
			if err != nil {
				return nil, err
			}
			w.ends = true
			ways = append(ways, w)
		}
	}
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return x.e.graph.Usersets(key.node, r.ID, from, into)
	}) {
		if err != nil {
			return nil, err
		}
		if err := x.e.pace(); err != nil {
			return nil, err
		}
		if edge.Ref == s.ref {
			continue
		}
		w, err := x.edgeWay(key.node, r, edge)
		if err != nil {
			return nil, err
		}
		w.key = atomKey{edge.Ref.Node, edge.Ref.Relation, key.subject}
		ways = append(ways, w)
	}
	return ways, nil
}

// edgeWay begins a way with a tuple and says when it does not count.
func (x *explainer) edgeWay(n tuple.Node, r *schema.Relation, edge tuple.Edge) (way, error) {
	w := way{edge: &edge, from: n, of: r}
	t, star, err := x.e.typeOf(edge.Ref)
	switch {
	case err != nil:
	case x.e.expired(&edge):
		w.lacks, w.gone = "it has expired", true
	case !x.e.admitted(&edge, r, t, star):
		w.lacks, w.gone = "the schema does not admit it any more", true
	}
	return w, err
}

func (x *explainer) arrowWays(key atomKey, expr *schema.Expr) ([]way, error) {
	tupleset := x.e.schema.Relation(expr.Relation)
	if tupleset == nil {
		return nil, nil
	}
	var ways []way
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return x.e.graph.Subjects(key.node, tupleset.ID, from, into)
	}) {
		if err != nil {
			return nil, err
		}
		if err := x.e.pace(); err != nil {
			return nil, err
		}
		w, err := x.edgeWay(key.node, tupleset, edge)
		if err != nil {
			return nil, err
		}
		t, star, err := x.e.typeOf(edge.Ref)
		if err != nil {
			return nil, err
		}
		target := expr.Target(t)
		if star || w.lacks == "" && target == 0 && expr.Kind == schema.Arrow {
			continue
		}
		if w.lacks == "" && target == 0 {
			w.lacks = "what it leads to has no such name"
		}
		w.key = atomKey{edge.Ref.Node, target, key.subject}
		ways = append(ways, w)
	}
	return ways, nil
}

func (x *explainer) ownerWays(key atomKey, r *schema.Relation, s *subject) ([]way, error) {
	var ways []way
	for i := range s.typ.Acts {
		a := &s.typ.Acts[i]
		owner := x.e.schema.Relation(a.Owner)
		if s.isStar || owner == nil || a.On != r.Type.ID || !a.Permissions[r.ID] {
			continue
		}
		for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return x.e.graph.Subjects(s.ref.Node, owner.ID, from, into)
		}) {
			if err != nil {
				return nil, err
			}
			_, star, err := x.e.typeOf(edge.Ref)
			if err != nil {
				return nil, err
			}
			if star {
				continue
			}
			w, err := x.edgeWay(s.ref.Node, owner, edge)
			if err != nil {
				return nil, err
			}
			number, err := x.e.subjectNumber(edge.Ref)
			if err != nil {
				return nil, err
			}
			w.key = atomKey{key.node, key.relation, number}
			ways = append(ways, w)
		}
	}
	return ways, nil
}

func (x *explainer) sealedWays(key atomKey, s *subject, fixed []schema.FixedSubject) ([]way, error) {
	var ways []way
	for _, f := range fixed {
		n, err := x.e.fixedNode(f)
		if err != nil {
			return nil, err
		}
		ref := tuple.Ref{Node: n, Relation: f.Relation}
		switch {
		case f.Relation != 0:
			ways = append(ways, way{key: atomKey{n, f.Relation, key.subject}})
		case ref == s.ref, s.isObject() && ref == s.wildcard:
			ways = append(ways, way{ends: true})
		}
	}
	return ways, nil
}

// wayHolds says whether a way is reason enough for an atom: it holds, and what
// it leads to was final before the atom was, so that no reason is circular.
func (x *explainer) wayHolds(id int32, w way) (bool, error) {
	v, err := x.value(w)
	if err != nil || v.lower != holds || w.ends {
		return v.lower == holds, err
	}
	return x.final(w.key).order < x.e.atoms[id].order, nil
}

// suffices says whether a part of an atom's rewrite is reason enough for it.
func (x *explainer) suffices(id int32, r *schema.Relation, expr *schema.Expr) (bool, error) {
	v, err := x.e.expression(expr, id)
	if err != nil || v.lower != holds {
		return false, err
	}
	switch expr.Kind {
	case schema.Self:
		return true, nil
	case schema.Union, schema.Intersection:
		any := expr.Kind == schema.Union
		for _, o := range expr.Operands {
			enough, err := x.suffices(id, r, o)
			if err != nil || enough == any {
				return enough, err
			}
		}
		return !any, nil
	case schema.Exclusion:
		return x.suffices(id, r, expr.Operands[0])
	}
	ways, err := x.leafWays(id, r, expr)
	if err != nil {
		return false, err
	}
	every := expr.Kind == schema.Every
	for _, w := range ways {
		if every && w.gone {
			continue
		}
		enough, err := x.wayHolds(id, w)
		if err != nil || enough != every {
			return enough, err
		}
	}
	return every, nil
}
