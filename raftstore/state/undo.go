package state

import (
	"cmp"
	"errors"
	"slices"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// undone reads a past revision as the newest one with the entries in between
// undone: the graph of the head without the edges that changed since (hidden),
// and a small graph of what these tuples were (before).
//
// A node is numbered as in head; one that head does not name, as in before with
// the top bit set.
type undone struct {
	head   *graph.View
	before *graph.View

	hidden   map[edgeKey]struct{}      // edges of head that were not there, or were otherwise
	inBefore map[tuple.Node]tuple.Node // head's number to before's
	inHead   map[tuple.Node]tuple.Node // and back
	unnamed  map[tuple.Node]struct{}   // nodes of head that no tuple named yet
}

type edgeKey struct {
	object   tuple.Node
	relation tuple.RelationID
	subject  tuple.Ref
}

// beforeBit is above all that a graph numbers, and within tuple.MaxNode.
const beforeBit tuple.Node = 1 << 30

// errTooFar says that more has changed since than undoing is worth.
var errTooFar = errors.New("too much has changed since")

// undo makes the reader of a view by undoing what came after it up to the
// revision of head. It takes head over where it succeeds; errTooFar where more
// than most tuples changed.
func undo(v *View, head *graph.View, most int) (*undone, error) {
	txn := v.gen.db.NewTransactionAt(uint64(head.Revision()), false)
	defer txn.Discard()
	seen := map[string]struct{}{}
	u := &undone{head: head, hidden: map[edgeKey]struct{}{}, inBefore: map[tuple.Node]tuple.Node{},
		inHead: map[tuple.Node]tuple.Node{}, unnamed: map[tuple.Node]struct{}{}}
	var were []graph.Tuple
	records := 0
	err := eachRecord(txn, v.revision+1, head.Revision(), func(_ tuple.Revision, r record) error {
		if records++; records > most {
			return errTooFar
		}
		for _, e := range r.Effects {
			if e.Store != v.st.id || e.Kind != prefixTuple {
				continue
			}
			if _, ok := seen[string(e.Row)]; ok { // the first change says what was there
				continue
			}
			if seen[string(e.Row)] = struct{}{}; len(seen) > most {
				return errTooFar
			}
			row, err := parseRow(e.Row)
			if err == nil {
				err = row.setValue(e.Old)
			}
			if err == nil {
				err = u.hide(row)
			}
			if err != nil {
				return err
			}
			if e.Had {
				were = append(were, graph.Tuple(row))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := u.load(v, were); err != nil {
		return nil, err
	}
	return u, nil
}

// hide takes the tuple of a row out of head, if it is there.
func (u *undone) hide(r row) error {
	object, err := u.head.Node(r.ObjectType, r.ObjectID)
	if err != nil || object == 0 {
		return err
	}
	subject, err := u.head.Node(r.SubjectType, r.SubjectID)
	if err != nil || subject == 0 {
		return err
	}
	k := edgeKey{object, r.Relation, tuple.Ref{Node: subject, Relation: r.SubjectRelation}}
	if _, ok, err := u.head.Edge(k.object, k.relation, k.subject); err != nil || !ok {
		return err
	}
	u.hidden[k] = struct{}{}
	return nil
}

// load builds the graph of what the changed tuples were, matches its nodes with
// head's, and finds the nodes of head that nothing named yet.
func (u *undone) load(v *View, were []graph.Tuple) (err error) {
	index := graph.New()
	if err := index.Load(v.revision, were); err != nil {
		return err
	}
	if u.before, err = index.View(v.revision); err != nil {
		return err
	}
	for _, w := range were {
		if err := u.match(w.ObjectType, w.ObjectID); err != nil {
			return err
		}
		if err := u.match(w.SubjectType, w.SubjectID); err != nil {
			return err
		}
	}
	for k := range u.hidden {
		for _, node := range []tuple.Node{k.object, k.subject.Node} {
			if _, ok := u.inBefore[node]; ok {
				continue
			}
			named, err := u.named(node, v.st.names)
			if err != nil {
				return err
			}
			if !named {
				u.unnamed[node] = struct{}{}
			}
		}
	}
	return nil
}

func (u *undone) match(t tuple.TypeID, id string) error {
	h, err := u.head.Node(t, id)
	if err != nil || h == 0 {
		return err
	}
	b, err := u.before.Node(t, id)
	u.inBefore[h], u.inHead[b] = b, h
	return err
}

// named says whether an edge of head that is not hidden has the node at an end.
func (u *undone) named(node tuple.Node, n *names) (bool, error) {
	t, _, err := u.head.Object(node)
	if err != nil {
		return false, err
	}
	refs := append(n.relationsOf(t), 0)
	for _, relation := range refs {
		for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return u.head.Objects(tuple.Ref{Node: node, Relation: relation}, 0, from, into)
		}) {
			if _, hidden := u.hidden[edgeKey{e.Ref.Node, e.Ref.Relation, tuple.Ref{Node: node, Relation: relation}}]; err != nil || !hidden {
				return err == nil, err
			}
		}
		if relation == 0 {
			continue
		}
		for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return u.head.Subjects(node, relation, from, into)
		}) {
			if _, hidden := u.hidden[edgeKey{node, relation, e.Ref}]; err != nil || !hidden {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// toBefore returns the number of a node in before, 0 where it is not there.
func (u *undone) toBefore(n tuple.Node) tuple.Node {
	if n&beforeBit != 0 {
		return n &^ beforeBit
	}
	return u.inBefore[n]
}

// fromBefore numbers a node of before as this reader does.
func (u *undone) fromBefore(n tuple.Node) tuple.Node {
	if h, ok := u.inHead[n]; ok {
		return h
	}
	return n | beforeBit
}

// Node is engine.Reader's.
func (u *undone) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	n, err := u.head.Node(t, id)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		b, err := u.before.Node(t, id)
		if b != 0 {
			b |= beforeBit
		}
		return b, err
	}
	if _, ok := u.unnamed[n]; ok {
		return 0, nil
	}
	return n, nil
}

// Pair is engine.Reader's.
func (u *undone) Pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, err = u.Node(a.Type, a.ID); err == nil {
		m, err = u.Node(b.Type, b.ID)
	}
	return n, m, err
}

// Closure is engine.Reader's. It declines, since two readers have a part in it.
func (u *undone) Closure(tuple.Ref, tuple.RelationID, []tuple.Node) (int, bool, error) {
	return 0, false, nil
}

// Object is engine.Reader's.
func (u *undone) Object(n tuple.Node) (tuple.TypeID, string, error) {
	if n&beforeBit != 0 {
		return u.before.Object(n &^ beforeBit)
	}
	return u.head.Object(n)
}

// Edge is engine.Reader's.
func (u *undone) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	if o, s := u.toBefore(object), u.toBefore(subject.Node); o != 0 && s != 0 {
		e, ok, err := u.before.Edge(o, relation, tuple.Ref{Node: s, Relation: subject.Relation})
		if ok || err != nil {
			e.Ref = subject
			return e, ok, err
		}
	}
	_, hidden := u.hidden[edgeKey{object, relation, subject}]
	if hidden || object&beforeBit != 0 || subject.Node&beforeBit != 0 {
		return tuple.Edge{}, false, nil
	}
	return u.head.Edge(object, relation, subject)
}

// IDs is engine.Reader's.
func (u *undone) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	return tuple.IDs(u.Object, nodes, text, ends)
}

// Type is engine.Reader's.
func (u *undone) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	if n&beforeBit != 0 {
		return u.before.Type(n &^ beforeBit)
	}
	return u.head.Type(n)
}

// beforeCursor marks a cursor that stands in before's list, which comes after head's.
const beforeCursor tuple.Cursor = 1 << 62

// Row is engine.Reader's.
func (u *undone) Row(object tuple.Node, into []tuple.Edge) (n int, whole bool, err error) {
	if object&beforeBit == 0 {
		if n, whole, err = u.head.Row(object, into); !whole || err != nil {
			return 0, false, err
		}
		n = len(slices.DeleteFunc(into[:n], func(e tuple.Edge) bool {
			_, hidden := u.hidden[edgeKey{object, e.Relation, e.Ref}]
			return hidden
		}))
	}
	b := u.toBefore(object)
	if b == 0 {
		return n, true, nil
	}
	m, whole, err := u.before.Row(b, into[n:])
	if !whole || err != nil {
		return 0, false, err
	}
	for i := range into[n : n+m] {
		into[n+i].Ref.Node = u.fromBefore(into[n+i].Ref.Node)
	}
	return n + m, true, nil
}

// Subjects is engine.Reader's.
func (u *undone) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, node, at := u.part(object, from)
	if g == nil {
		return 0, 0, nil
	}
	n, next, err := g.Subjects(node, relation, at, into)
	n = u.undo(g, into[:n], func(end tuple.Ref) edgeKey { return edgeKey{object, relation, end} })
	return n, u.after(g, object, next), err
}

// Usersets is engine.Reader's.
func (u *undone) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, node, at := u.part(object, from)
	if g == nil {
		return 0, 0, nil
	}
	n, next, err := g.Usersets(node, relation, at, into)
	n = u.undo(g, into[:n], func(end tuple.Ref) edgeKey { return edgeKey{object, relation, end} })
	return n, u.after(g, object, next), err
}

// Objects is engine.Reader's.
func (u *undone) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, node, at := u.part(subject.Node, from)
	if g == nil {
		return 0, 0, nil
	}
	n, next, err := g.Objects(tuple.Ref{Node: node, Relation: subject.Relation}, relation, at, into)
	n = u.undo(g, into[:n], func(end tuple.Ref) edgeKey { return edgeKey{end.Node, end.Relation, subject} })
	return n, u.after(g, subject.Node, next), err
}

// part returns the graph that a cursor stands in, with the node's number and the
// cursor there; nil where that graph has no such node.
func (u *undone) part(node tuple.Node, from tuple.Cursor) (*graph.View, tuple.Node, tuple.Cursor) {
	if from&beforeCursor == 0 && node&beforeBit == 0 {
		return u.head, node, from
	}
	if b := u.toBefore(node); b != 0 {
		return u.before, b, from &^ beforeCursor
	}
	return nil, 0, 0
}

// after returns the cursor behind what was read of a graph.
func (u *undone) after(g *graph.View, node tuple.Node, next tuple.Cursor) tuple.Cursor {
	switch {
	case g == u.before && next != 0, g == u.head && next == 0 && u.toBefore(node) != 0:
		return next | beforeCursor
	}
	return next
}

// undo makes of edges of one of the graphs this reader's, in place, and returns
// how many stay. key names the edge with a far end.
func (u *undone) undo(g *graph.View, edges []tuple.Edge, key func(tuple.Ref) edgeKey) int {
	if g == u.before {
		for i := range edges {
			edges[i].Ref.Node = u.fromBefore(edges[i].Ref.Node)
		}
		return len(edges)
	}
	return len(slices.DeleteFunc(edges, func(e tuple.Edge) bool {
		_, hidden := u.hidden[key(e.Ref)]
		return hidden
	}))
}

// Nodes is engine.Reader's.
func (u *undone) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (n int, next tuple.Cursor, err error) {
	if from&beforeCursor == 0 {
		n, next, err = u.head.Nodes(t, from, into)
		n = len(slices.DeleteFunc(into[:n], func(n tuple.Node) bool {
			_, unnamed := u.unnamed[n]
			return unnamed
		}))
		return n, cmp.Or(next, beforeCursor), err
	}
	n, next, err = u.before.Nodes(t, from&^beforeCursor, into)
	list := slices.DeleteFunc(into[:n], func(n tuple.Node) bool {
		_, known := u.inHead[n]
		return known
	})
	for i := range list {
		list[i] |= beforeBit
	}
	if next != 0 {
		next |= beforeCursor
	}
	return len(list), next, err
}

// Close lets go of both graphs.
func (u *undone) Close() {
	u.head.Close()
	u.before.Close()
}
