package engine

import (
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// local marks the numbers of objects that only this request names: in its
// question, its contextual tuples, or its schema.
const local tuple.Node = 1 << 31

// overlay is the graph that one request sees: the reader's tuples, with the
// contextual ones over those of the same key. It numbers what the reader does
// not know.
type overlay struct {
	base     Reader
	objects  []localObject // by node &^ local
	nodes    map[localKey]tuple.Node
	forward  map[tuple.Ref][]tuple.Edge // contextual tuples by object#relation
	backward map[tuple.Ref][]tuple.Edge // contextual tuples by subject
	named    map[tuple.TypeID][]tuple.Node
}

type localObject struct {
	localKey
	named bool // among those that a lookup ranges over
}

type localKey struct {
	typ tuple.TypeID
	id  string
}

func newOverlay(base Reader) *overlay {
	return &overlay{base: base}
}

// add lays one contextual tuple over the reader's.
func (o *overlay) add(object tuple.Node, relation tuple.RelationID, e tuple.Edge) {
	if o.forward == nil {
		o.forward, o.backward = map[tuple.Ref][]tuple.Edge{}, map[tuple.Ref][]tuple.Edge{}
	}
	end := tuple.Ref{Node: object, Relation: relation}
	o.forward[end] = append(o.forward[end], e)
	back := e
	back.Ref = end
	o.backward[e.Ref] = append(o.backward[e.Ref], back)
}

// Node returns the number of an object, a new one when the reader has none.
func (o *overlay) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	n, err := o.base.Node(t, id)
	if n != 0 || err != nil {
		return n, err
	}
	key := localKey{t, id}
	n, ok := o.nodes[key]
	if !ok {
		if o.nodes == nil {
			o.nodes = map[localKey]tuple.Node{}
		}
		n = local | tuple.Node(len(o.objects))
		o.objects = append(o.objects, localObject{localKey: key})
		o.nodes[key] = n
	}
	return n, nil
}

// fresh returns an object that no tuple and no question names: what stands for
// everybody that is not named.
func (o *overlay) fresh(t tuple.TypeID) tuple.Node {
	o.objects = append(o.objects, localObject{localKey: localKey{typ: t}})
	return local | tuple.Node(len(o.objects)-1)
}

// name makes a local object part of those that a type's lookup ranges over.
func (o *overlay) name(t tuple.TypeID, n tuple.Node) {
	if n&local == 0 || o.objects[n&^local].named {
		return
	}
	if o.named == nil {
		o.named = map[tuple.TypeID][]tuple.Node{}
	}
	o.objects[n&^local].named = true
	o.named[t] = append(o.named[t], n)
}

// Object returns the type and id of a node.
func (o *overlay) Object(n tuple.Node) (tuple.TypeID, string, error) {
	if n&local != 0 {
		key := o.objects[n&^local]
		return key.typ, key.id, nil
	}
	return o.base.Object(n)
}

// Edge returns the tuple object#relation@subject, if there is one.
func (o *overlay) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	if o.forward != nil {
		for _, e := range o.forward[tuple.Ref{Node: object, Relation: relation}] {
			if e.Ref == subject {
				return e, true, nil
			}
		}
	}
	if (object|subject.Node)&local != 0 {
		return tuple.Edge{}, false, nil
	}
	return o.base.Edge(object, relation, subject)
}

// Subjects yields the direct subjects of object#relation.
func (o *overlay) Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	own := o.forward[tuple.Ref{Node: object, Relation: relation}]
	if object&local != 0 {
		return laid(own, nil, false)
	}
	return laid(own, o.base.Subjects(object, relation), false)
}

// Usersets yields those direct subjects of object#relation that are usersets.
func (o *overlay) Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	own := o.forward[tuple.Ref{Node: object, Relation: relation}]
	if object&local != 0 {
		return laid(own, nil, true)
	}
	return laid(own, o.base.Usersets(object, relation), true)
}

// Objects yields every object#relation that the subject is directly in.
func (o *overlay) Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error] {
	own := o.backward[subject]
	if subject.Node&local != 0 {
		return laid(own, nil, false)
	}
	return laid(own, o.base.Objects(subject), false)
}

// laid yields own edges and then those below them that they do not replace. A
// request has few contextual tuples of one object, so a plain search finds them.
func laid(own []tuple.Edge, below iter.Seq2[tuple.Edge, error], usersets bool) iter.Seq2[tuple.Edge, error] {
	if len(own) == 0 && below != nil {
		return below
	}
	return func(yield func(tuple.Edge, error) bool) {
		for _, e := range own {
			if (!usersets || e.Ref.Relation != 0) && !yield(e, nil) {
				return
			}
		}
		if below == nil {
			return
		}
		for e, err := range below {
			if err == nil && replaced(own, e.Ref) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func replaced(own []tuple.Edge, ref tuple.Ref) bool {
	for _, e := range own {
		if e.Ref == ref {
			return true
		}
	}
	return false
}

// Nodes yields every object of a type that a tuple, the question or the schema names.
func (o *overlay) Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error] {
	return func(yield func(tuple.Node, error) bool) {
		for n, err := range o.base.Nodes(t) {
			if !yield(n, err) {
				return
			}
		}
		for _, n := range o.named[t] {
			if !yield(n, nil) {
				return
			}
		}
	}
}
