package engine

import (
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// local marks the numbers of objects that only this request names: in its
// question, its contextual tuples, or its schema.
const local = tuple.MaxNode + 1

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
	row      row
}

type localObject struct {
	localKey
	named bool // among those that a lookup ranges over
}

type localKey struct {
	typ tuple.TypeID
	id  string
}

// reset drops what one request has laid over its reader, and the reader.
func (o *overlay) reset() {
	o.base = nil
	clear(o.objects)
	o.objects = o.objects[:0]
	empty(o.nodes)
	if len(o.forward) > 0 {
		o.forward, o.backward = nil, nil
	}
	empty(o.named)
	o.row.node = 0
}

// wildcard returns the number of a type's wildcard; 0 where nothing names it,
// unless it is to have a number anyway.
func (o *overlay) wildcard(t tuple.TypeID, anyway bool) (tuple.Node, error) {
	if anyway {
		return o.Node(t, tuple.Wildcard)
	}
	n, err := o.base.Node(t, tuple.Wildcard)
	if n == 0 && len(o.nodes) > 0 {
		n = o.nodes[localKey{t, tuple.Wildcard}]
	}
	return n, err
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
	return o.own(t, id), nil
}

// pair is Node for two objects.
func (o *overlay) pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, m, err = o.base.Pair(a, b); err != nil {
		return 0, 0, err
	}
	if n == 0 {
		n = o.own(a.Type, a.ID)
	}
	if m == 0 {
		m = o.own(b.Type, b.ID)
	}
	return n, m, nil
}

// own returns the number of an object that the reader has none for.
func (o *overlay) own(t tuple.TypeID, id string) tuple.Node {
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
	return n
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

// IDs appends the ids of nodes to text.
func (o *overlay) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	for _, n := range nodes {
		if n&local != 0 {
			return tuple.IDs(o.Object, nodes, text, ends)
		}
	}
	return o.base.IDs(nodes, text, ends)
}

// Edge returns the tuple object#relation@subject, if there is one.
func (o *overlay) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	for _, e := range o.forward[tuple.Ref{Node: object, Relation: relation}] {
		if e.Ref == subject {
			return e, true, nil
		}
	}
	if (object|subject.Node)&local != 0 {
		return tuple.Edge{}, false, nil
	}
	if whole, err := o.read(object); err != nil {
		return tuple.Edge{}, false, err
	} else if whole {
		for i := range o.row.edges[:o.row.count] {
			if e := &o.row.edges[i]; e.Relation == relation && e.Ref == subject {
				return *e, true, nil
			}
		}
		return tuple.Edge{}, false, nil
	}
	return o.base.Edge(object, relation, subject)
}

// Type returns the type of a node, and whether it is the wildcard.
func (o *overlay) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	if n&local != 0 {
		key := &o.objects[n&^local]
		return key.typ, key.id == tuple.Wildcard, nil
	}
	return o.base.Type(n)
}

// Subjects lists the direct subjects of object#relation.
func (o *overlay) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if o.forward == nil && object&local == 0 {
		if n, ok, err := o.short(object, relation, false, from, into); ok || err != nil {
			return n, 0, err
		}
		return o.base.Subjects(object, relation, from, into)
	}
	own := o.forward[tuple.Ref{Node: object, Relation: relation}]
	if n, next, done := laid(own, object, everyEdge, from, into); done {
		return n, next, nil
	}
	n, next, err := o.base.Subjects(object, relation, from&^tuple.OverCursor, into)
	return unreplaced(own, into[:n]), next, err
}

// Usersets lists those direct subjects of object#relation that are usersets.
func (o *overlay) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if o.forward == nil && object&local == 0 {
		if n, ok, err := o.short(object, relation, true, from, into); ok || err != nil {
			return n, 0, err
		}
		return o.base.Usersets(object, relation, from, into)
	}
	own := o.forward[tuple.Ref{Node: object, Relation: relation}]
	if n, next, done := laid(own, object, usersetsOnly, from, into); done {
		return n, next, nil
	}
	n, next, err := o.base.Usersets(object, relation, from&^tuple.OverCursor, into)
	return unreplaced(own, into[:n]), next, err
}

// Objects lists every object#relation that the subject is directly in; with
// relation 0, of whatever relation.
func (o *overlay) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if o.backward == nil && subject.Node&local == 0 {
		return o.base.Objects(subject, relation, from, into)
	}
	own := o.backward[subject]
	if n, next, done := laid(own, subject.Node, within(relation), from, into); done {
		return n, next, nil
	}
	n, next, err := o.base.Objects(subject, relation, from&^tuple.OverCursor, into)
	return unreplaced(own, into[:n]), next, err
}

// Closure is the reader's where no contextual tuple bears on it.
func (o *overlay) Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (int, bool, error) {
	switch {
	case o.backward != nil:
		return 0, false, nil
	case subject.Node&local != 0:
		return 0, true, nil
	}
	return o.base.Closure(subject, relation, into)
}

// which of the edges of a list are meant: all, the usersets, or from withRelation
// on those of one relation.
type which uint64

const (
	everyEdge which = iota
	usersetsOnly
	withRelation
)

// within means the edges of a relation; 0 is any.
func within(r tuple.RelationID) which {
	if r == 0 {
		return everyEdge
	}
	return withRelation + which(r)
}

func (w which) has(e *tuple.Edge) bool {
	return w == everyEdge || w == usersetsOnly && e.Ref.Relation != 0 || w == withRelation+which(e.Ref.Relation)
}

// laid lists the contextual edges of a node, which come before the reader's: with
// OverCursor set, a cursor counts those listed, and 0 of them begins the reader's
// own. It says whether it has answered, or the reader is to.
func laid(own []tuple.Edge, node tuple.Node, which which, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, done bool) {
	at := int(from &^ tuple.OverCursor)
	if from != 0 && (from&tuple.OverCursor == 0 || at == 0) || from == 0 && len(own) == 0 {
		return 0, 0, node&local != 0
	}
	for ; at < len(own) && n < len(into); at++ {
		if which.has(&own[at]) {
			into[n] = own[at]
			n++
		}
	}
	switch {
	case at < len(own):
		next = tuple.OverCursor | tuple.Cursor(at)
	case node&local == 0:
		next = tuple.OverCursor
	}
	return n, next, true
}

// unreplaced keeps those edges that no contextual one replaces. A request has few
// contextual tuples of one object, so a plain search finds them.
func unreplaced(own, edges []tuple.Edge) int {
	if len(own) == 0 {
		return len(edges)
	}
	return len(slices.DeleteFunc(edges, func(below tuple.Edge) bool {
		return slices.ContainsFunc(own, func(e tuple.Edge) bool { return e.Ref == below.Ref })
	}))
}

// Nodes lists every object of a type that a tuple, the question or the schema
// names; those that only the request names come first.
func (o *overlay) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
	own := o.named[t]
	if at := int(from &^ tuple.OverCursor); from == 0 && len(own) > 0 || from&tuple.OverCursor != 0 && at > 0 {
		n := copy(into, own[at:])
		if at += n; at == len(own) {
			at = 0
		}
		return n, tuple.OverCursor | tuple.Cursor(at), nil
	}
	return o.base.Nodes(t, from&^tuple.OverCursor, into)
}
