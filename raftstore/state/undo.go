package state

import (
	"errors"
	"iter"

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

const beforeBit tuple.Node = 1 << 31

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
		for e, err := range u.head.Objects(tuple.Ref{Node: node, Relation: relation}) {
			if _, hidden := u.hidden[edgeKey{e.Ref.Node, e.Ref.Relation, tuple.Ref{Node: node, Relation: relation}}]; err != nil || !hidden {
				return err == nil, err
			}
		}
		if relation == 0 {
			continue
		}
		for e, err := range u.head.Subjects(node, relation) {
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

// Subjects is engine.Reader's.
func (u *undone) Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return u.merge(object, func(g *graph.View, n tuple.Node) iter.Seq2[tuple.Edge, error] { return g.Subjects(n, relation) },
		func(end tuple.Ref) edgeKey { return edgeKey{object, relation, end} })
}

// Usersets is engine.Reader's.
func (u *undone) Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return u.merge(object, func(g *graph.View, n tuple.Node) iter.Seq2[tuple.Edge, error] { return g.Usersets(n, relation) },
		func(end tuple.Ref) edgeKey { return edgeKey{object, relation, end} })
}

// Objects is engine.Reader's.
func (u *undone) Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error] {
	return u.merge(subject.Node, func(g *graph.View, n tuple.Node) iter.Seq2[tuple.Edge, error] {
		return g.Objects(tuple.Ref{Node: n, Relation: subject.Relation})
	}, func(end tuple.Ref) edgeKey { return edgeKey{end.Node, end.Relation, subject} })
}

// merge yields what a walk from a node finds in head and is not hidden, then what
// it finds in before. key names the edge with a far end.
func (u *undone) merge(node tuple.Node, walk func(*graph.View, tuple.Node) iter.Seq2[tuple.Edge, error], key func(tuple.Ref) edgeKey) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) {
		if node&beforeBit == 0 {
			for e, err := range walk(u.head, node) {
				if err == nil {
					if _, hidden := u.hidden[key(e.Ref)]; hidden {
						continue
					}
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
		b := u.toBefore(node)
		if b == 0 {
			return
		}
		for e, err := range walk(u.before, b) {
			e.Ref.Node = u.fromBefore(e.Ref.Node)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Nodes is engine.Reader's.
func (u *undone) Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error] {
	return func(yield func(tuple.Node, error) bool) {
		for n, err := range u.head.Nodes(t) {
			if _, ok := u.unnamed[n]; ok && err == nil {
				continue
			}
			if !yield(n, err) || err != nil {
				return
			}
		}
		for n, err := range u.before.Nodes(t) {
			if _, ok := u.inHead[n]; ok && err == nil {
				continue
			}
			if !yield(n|beforeBit, err) || err != nil {
				return
			}
		}
	}
}

// Close lets go of both graphs.
func (u *undone) Close() {
	u.head.Close()
	u.before.Close()
}
