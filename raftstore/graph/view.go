package graph

import (
	"cmp"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is the graph as it stood at one revision, until Close, which comes after
// all reading. It satisfies the engine's Reader. The only error of its methods is ErrClosed, and of Object
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

// Close lets go of the revision. The view is of no use afterwards; a second
// Close does nothing.
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

// Type returns the type of a node that this view gave, and whether it is the wildcard.
func (v *View) Type(n tuple.Node) (t tuple.TypeID, star bool, err error) {
	if v.closed {
		return 0, false, ErrClosed
	}
	if !v.x.nodes.has(uint32(n)) {
		return 0, false, ErrUnknownNode
	}
	o := v.x.nodes.at(uint32(n))
	if !o.seen(v.at) || o.kind == contextType || o.kind == 0 {
		return 0, false, ErrUnknownNode
	}
	return tuple.TypeID(o.kind), o.length == uint32(len(tuple.Wildcard)) && string(v.x.idOf(o)) == tuple.Wildcard, nil
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

// Subjects lists the direct subjects of object#relation, usersets first.
func (v *View) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	if from&othersCursor == 0 {
		n, next, err = v.Usersets(object, relation, from, into)
		if next != 0 || err != nil || n == len(into) {
			return n, cmp.Or(next, othersCursor), err
		}
		from = othersCursor
	}
	a, b := forwardKey(uint32(object), uint32(relation), false)
	m, next, err := v.edges(&v.x.forward, a, b, 0, from&^othersCursor, into[n:])
	if next != 0 {
		next |= othersCursor
	}
	return n + m, next, err
}

// othersCursor marks a cursor of Subjects that is past the usersets.
const othersCursor tuple.Cursor = 1 << 48

// Usersets lists those direct subjects of object#relation that are usersets,
// however many others there are.
func (v *View) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	a, b := forwardKey(uint32(object), uint32(relation), true)
	return v.edges(&v.x.forward, a, b, 0, from, into)
}

// Objects lists every object#relation that the subject is directly in; with
// relation 0, of whatever relation.
func (v *View) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	return v.edges(&v.x.backward, uint32(subject.Node), uint32(subject.Relation), uint32(relation), from, into)
}

// readAhead is how many items are read before they are looked at.
const readAhead = 32

// edges reads edges of a list, the Ref of each being its other end; of a backward
// list those of a relation alone, unless that is 0.
func (v *View) edges(j *adjacency, a, b, relation uint32, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	if v.closed {
		return 0, 0, ErrClosed
	}
	var items [readAhead]uint32
	for n < len(into) {
		read, position := j.read(a, b, position(from), items[:min(len(items), len(into)-n)])
		for _, i := range items[:read] {
			e := v.x.edges.at(i)
			if relation != 0 && e.relation != relation || !e.seen(v.at) {
				continue
			}
			end := tuple.Ref{Node: tuple.Node(e.subject), Relation: tuple.RelationID(e.subjectRelation)}
			if j == &v.x.backward {
				end = tuple.Ref{Node: tuple.Node(e.object), Relation: tuple.RelationID(e.relation)}
			}
			into[n] = v.edge(e, end)
			n++
		}
		if from = tuple.Cursor(position); from == 0 {
			break
		}
	}
	return n, from, nil
}

// Nodes lists every object of a type that a tuple names at this revision, as
// object or as subject, each once; the wildcard is not among them.
func (v *View) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (n int, next tuple.Cursor, err error) {
	if v.closed {
		return 0, 0, ErrClosed
	}
	var items [readAhead]uint32
	for n < len(into) {
		read, position := v.x.byType.read(uint32(t), 0, position(from), items[:min(len(items), len(into)-n)])
		for _, i := range items[:read] {
			if v.x.nodes.at(i).seen(v.at) {
				into[n] = tuple.Node(i)
				n++
			}
		}
		if from = tuple.Cursor(position); from == 0 {
			break
		}
	}
	return n, from, nil
}
