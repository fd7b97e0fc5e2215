package graph

import (
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is the graph as it stood at one revision, until Close. One goroutine at
// a time uses a view; any number of views may be open. It satisfies the
// engine's Reader. The only error of its methods is ErrClosed, and of Object
// also ErrUnknownNode.
type View struct {
	x        *Index
	revision tuple.Revision
	sequence uint64
	epoch    uint64
	at       moment
	closed   bool
}

// Revision returns the revision that the view was opened at.
func (v *View) Revision() tuple.Revision { return v.revision }

// Close lets go of the revision. The view, and what its iterators have not
// yielded yet, is of no use afterwards; a second Close does nothing.
func (v *View) Close() {
	if !v.closed {
		v.closed = true
		v.x.release(v)
	}
}

// Node returns the number of an object, or 0 when no tuple names it at this
// revision. The id "*" is the wildcard subject of the type.
func (v *View) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	if v.closed {
		return 0, ErrClosed
	}
	if uint32(t) == contextType {
		return 0, nil
	}
	return tuple.Node(v.x.nodeAt(uint32(t), id, v.at)), nil
}

// Object returns the type and id of a node that this view gave.
func (v *View) Object(n tuple.Node) (tuple.TypeID, string, error) {
	if v.closed {
		return 0, "", ErrClosed
	}
	if !v.x.nodes.has(uint32(n)) {
		return 0, "", ErrUnknownNode
	}
	o := v.x.nodes.at(uint32(n))
	if !o.seen(v.at) || o.kind == contextType || o.kind == 0 {
		return 0, "", ErrUnknownNode
	}
	return tuple.TypeID(o.kind), string(v.x.idOf(o)), nil
}

// Edge returns the tuple object#relation@subject, if there is one.
func (v *View) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	if v.closed {
		return tuple.Edge{}, false, ErrClosed
	}
	e := v.x.edgeAt(uint32(object), uint32(relation), uint32(subject.Node), uint32(subject.Relation), v.at)
	if e == nil {
		return tuple.Edge{}, false, nil
	}
	return v.edge(e, subject), true, nil
}

func (v *View) edge(e *edge, end tuple.Ref) tuple.Edge {
	return tuple.Edge{Ref: end, Condition: tuple.ConditionID(e.condition), Context: v.x.contextOf(e), Expires: e.expires}
}

// Subjects yields the direct subjects of object#relation, usersets first.
func (v *View) Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) {
		if v.subjects(object, relation, true, yield) {
			v.subjects(object, relation, false, yield)
		}
	}
}

// Usersets yields those direct subjects of object#relation that are usersets,
// however many others there are.
func (v *View) Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) {
		v.subjects(object, relation, true, yield)
	}
}

func (v *View) subjects(object tuple.Node, relation tuple.RelationID, usersets bool, yield func(tuple.Edge, error) bool) bool {
	a, b := forwardKey(uint32(object), uint32(relation), usersets)
	return v.edges(&v.x.forward, a, b, yield, func(e *edge) tuple.Ref {
		return tuple.Ref{Node: tuple.Node(e.subject), Relation: tuple.RelationID(e.subjectRelation)}
	})
}

// Objects yields every object#relation that the subject is directly in.
func (v *View) Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) {
		v.edges(&v.x.backward, uint32(subject.Node), uint32(subject.Relation), yield, func(e *edge) tuple.Ref {
			return tuple.Ref{Node: tuple.Node(e.object), Relation: tuple.RelationID(e.relation)}
		})
	}
}

func (v *View) edges(j *adjacency, a, b uint32, yield func(tuple.Edge, error) bool, end func(*edge) tuple.Ref) bool {
	if v.closed {
		yield(tuple.Edge{}, ErrClosed)
		return false
	}
	return j.each(a, b, func(i uint32) bool {
		if v.closed { // by the loop's own body
			yield(tuple.Edge{}, ErrClosed)
			return false
		}
		e := v.x.edges.at(i)
		return !e.seen(v.at) || yield(v.edge(e, end(e)), nil)
	})
}

// Nodes yields every object of a type that a tuple names at this revision, as
// object or as subject, each once; the wildcard is not among them.
func (v *View) Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error] {
	return func(yield func(tuple.Node, error) bool) {
		if v.closed {
			yield(0, ErrClosed)
			return
		}
		v.x.byType.each(uint32(t), 0, func(i uint32) bool {
			if v.closed {
				yield(0, ErrClosed)
				return false
			}
			return !v.x.nodes.at(i).seen(v.at) || yield(tuple.Node(i), nil)
		})
	}
}
