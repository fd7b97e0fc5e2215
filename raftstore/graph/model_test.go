package graph_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// key is what identifies a tuple; a model is what an index should hold.
type key struct {
	objectType      tuple.TypeID
	object          string
	relation        tuple.RelationID
	subjectType     tuple.TypeID
	subject         string
	subjectRelation tuple.RelationID
}

type attributes struct {
	condition tuple.ConditionID
	context   tuple.Context
	expires   uint64
}

type model map[key]attributes

func keyOf(t graph.Tuple) key {
	return key{t.ObjectType, t.ObjectID, t.Relation, t.SubjectType, t.SubjectID, t.SubjectRelation}
}

func (m model) apply(changes []graph.Change) model {
	next := make(model, len(m))
	for k, a := range m {
		next[k] = a
	}
	for _, c := range changes {
		if c.Remove {
			delete(next, keyOf(c.Tuple))
		} else {
			next[keyOf(c.Tuple)] = attributes{c.Tuple.Condition, c.Tuple.Context, c.Tuple.Expires}
		}
	}
	return next
}

// types: 1 document (relations 10, 11), 2 group (relation 20), 3 user.
func randomTuple(r *rand.Rand, ids int) graph.Tuple {
	id := func() string { return fmt.Sprint("id", r.IntN(ids)) }
	t := graph.Tuple{ObjectType: 1, ObjectID: id(), Relation: 10 + tuple.RelationID(r.IntN(2)), SubjectType: 3, SubjectID: id()}
	if r.IntN(3) == 0 {
		t.ObjectType, t.Relation = 2, 20
	}
	switch r.IntN(8) {
	case 0, 1:
		t.SubjectType, t.SubjectRelation = 2, 20
	case 2:
		t.SubjectID = tuple.Wildcard
	}
	if r.IntN(4) == 0 {
		t.Condition, t.Context = 7, tuple.Context(fmt.Sprintf(`{"n":%d}`, r.IntN(5)))
	}
	if r.IntN(4) == 0 {
		t.Expires = uint64(1 + r.IntN(3))
	}
	return t
}

func randomChanges(r *rand.Rand, ids int, removing bool) []graph.Change {
	changes := make([]graph.Change, 1+r.IntN(12))
	for i := range changes {
		remove := r.IntN(10) < 4
		if removing {
			remove = r.IntN(10) < 9
		}
		changes[i] = graph.Change{Remove: remove, Tuple: randomTuple(r, ids)}
	}
	return changes
}

// compare holds everything that a view says against the model.
func compare(v *graph.View, want model) error {
	named := map[tuple.Object]bool{} // "type" is the number as text
	object := func(t tuple.TypeID, id string) tuple.Object { return tuple.Object{Type: fmt.Sprint(t), ID: id} }
	forward, backward := map[string]int{}, map[string]int{}
	for k, a := range want {
		named[object(k.objectType, k.object)] = true
		named[object(k.subjectType, k.subject)] = true
		forward[fmt.Sprint(k.objectType, k.object, k.relation)]++
		backward[fmt.Sprint(k.subjectType, k.subject, k.subjectRelation)]++
		if err := compareEdge(v, k, a); err != nil {
			return err
		}
	}
	for k := range want {
		if err := compareSubjects(v, want, k, forward[fmt.Sprint(k.objectType, k.object, k.relation)]); err != nil {
			return err
		}
		if err := compareObjects(v, want, k, backward[fmt.Sprint(k.subjectType, k.subject, k.subjectRelation)]); err != nil {
			return err
		}
	}
	if err := compareClosures(v, want); err != nil {
		return err
	}
	return compareNodes(v, named)
}

func compareEdge(v *graph.View, k key, a attributes) error {
	o, _ := v.Node(k.objectType, k.object)
	s, _ := v.Node(k.subjectType, k.subject)
	object, subject := tuple.ObjectName{Type: k.objectType, ID: k.object}, tuple.ObjectName{Type: k.subjectType, ID: k.subject}
	v.Ahead([]tuple.ObjectName{object, subject, {Type: k.objectType, ID: "nobody"}}, []tuple.ObjectName{subject, object, {ID: "*"}}) // changes nothing
	if n, m, err := v.Pair(object, subject); n != o || m != s || err != nil {
		return fmt.Errorf("revision %d: Pair of %v gives %d and %d, Node %d and %d (%v)", v.Revision(), k, n, m, o, s, err)
	}
	e, ok, err := v.Edge(o, k.relation, tuple.Ref{Node: s, Relation: k.subjectRelation})
	want := tuple.Edge{Ref: tuple.Ref{Node: s, Relation: k.subjectRelation}, Condition: a.condition, Context: a.context, Expires: a.expires}
	if err != nil || !ok || e != want {
		return fmt.Errorf("revision %d: Edge %v = %v, %v, %v; want %v", v.Revision(), k, e, ok, err, want)
	}
	return nil
}

func compareSubjects(v *graph.View, want model, k key, n int) error {
	o, _ := v.Node(k.objectType, k.object)
	usersets, seen := 0, map[tuple.Ref]bool{}
	for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return v.Subjects(o, k.relation, from, into)
	}) {
		if err != nil {
			return err
		}
		t, id, err := v.Object(e.Ref.Node)
		got := k
		got.subjectType, got.subject, got.subjectRelation = t, id, e.Ref.Relation
		a, ok := want[got]
		if err != nil || !ok || a != (attributes{e.Condition, e.Context, e.Expires}) || seen[e.Ref] {
			return fmt.Errorf("revision %d: Subjects yields %v %v; want %v %v", v.Revision(), got, e, ok, a)
		}
		seen[e.Ref] = true
		if e.Ref.Relation != 0 {
			usersets++
		}
	}
	if len(seen) != n {
		return fmt.Errorf("revision %d: Subjects of %v yields %d, want %d", v.Revision(), k, len(seen), n)
	}
	if err := compareRow(v, o, k.relation, seen); err != nil {
		return err
	}
	for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return v.Usersets(o, k.relation, from, into)
	}) {
		if err != nil || !seen[e.Ref] || e.Ref.Relation == 0 {
			return fmt.Errorf("revision %d: Usersets yields %v, %v", v.Revision(), e, err)
		}
		usersets--
	}
	if usersets != 0 {
		return fmt.Errorf("revision %d: Usersets of %v misses %d", v.Revision(), k, usersets)
	}
	return nil
}

// compareRow holds an object's row to the subjects of one of its relations.
func compareRow(v *graph.View, o tuple.Node, relation tuple.RelationID, want map[tuple.Ref]bool) error {
	into := make([]tuple.Edge, 12)
	count, whole, err := v.Row(o, into)
	if err != nil || !whole {
		return err
	}
	found := 0
	for _, e := range into[:count] {
		if e.Relation == relation {
			found++
			one, ok, err := v.Edge(o, relation, e.Ref)
			one.Relation = relation
			if err != nil || !ok || one != e || !want[e.Ref] {
				return fmt.Errorf("revision %d: a row says %v, Edge %v %v %v", v.Revision(), e, one, ok, err)
			}
		}
	}
	if found != len(want) {
		return fmt.Errorf("revision %d: a row has %d tuples of relation %d, want %d", v.Revision(), found, relation, len(want))
	}
	return nil
}

func compareObjects(v *graph.View, want model, k key, n int) error {
	s, _ := v.Node(k.subjectType, k.subject)
	seen := map[tuple.Ref]bool{}
	for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return v.Objects(tuple.Ref{Node: s, Relation: k.subjectRelation}, 0, from, into)
	}) {
		if err != nil {
			return err
		}
		t, id, err := v.Object(e.Ref.Node)
		got := k
		got.objectType, got.object, got.relation = t, id, e.Ref.Relation
		if _, ok := want[got]; err != nil || !ok || seen[e.Ref] {
			return fmt.Errorf("revision %d: Objects yields %v", v.Revision(), got)
		}
		seen[e.Ref] = true
	}
	if len(seen) != n {
		return fmt.Errorf("revision %d: Objects of %v yields %d, want %d", v.Revision(), k, len(seen), n)
	}
	for end := range seen {
		found := false
		for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return v.Objects(tuple.Ref{Node: s, Relation: k.subjectRelation}, end.Relation, from, into)
		}) {
			if err != nil || !seen[e.Ref] || e.Ref.Relation != end.Relation {
				return fmt.Errorf("revision %d: Objects of %v in relation %d yields %v, %v", v.Revision(), k, end.Relation, e.Ref, err)
			}
			found = found || e.Ref == end
		}
		if !found {
			return fmt.Errorf("revision %d: Objects of %v in relation %d misses %v", v.Revision(), k, end.Relation, end)
		}
	}
	return nil
}

func compareNodes(v *graph.View, named map[tuple.Object]bool) error {
	for o := range named {
		var t tuple.TypeID
		fmt.Sscan(o.Type, &t)
		if n, err := v.Node(t, o.ID); n == 0 || err != nil {
			return fmt.Errorf("revision %d: no Node for %v: %v", v.Revision(), o, err)
		}
		if o.ID == tuple.Wildcard {
			delete(named, o)
		}
	}
	for t := tuple.TypeID(1); t <= 3; t++ {
		var nodes []tuple.Node
		var ids []string
		for n, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
			return v.Nodes(t, from, into)
		}) {
			if err != nil {
				return err
			}
			got, id, err := v.Object(n)
			o := tuple.Object{Type: fmt.Sprint(got), ID: id}
			if is, star, err := v.Type(n); err != nil || is != got || star {
				return fmt.Errorf("revision %d: Type of %v is %v, %v, %v", v.Revision(), o, is, star, err)
			}
			if err != nil || got != t || !named[o] {
				return fmt.Errorf("revision %d: Nodes(%d) yields %v twice or wrongly", v.Revision(), t, o)
			}
			delete(named, o)
			nodes, ids = append(nodes, n), append(ids, id)
		}
		if err := compareIDs(v, nodes, ids); err != nil {
			return err
		}
	}
	if len(named) > 0 {
		return fmt.Errorf("revision %d: Nodes misses %v", v.Revision(), named)
	}
	return nil
}

// compareIDs asks for the ids of nodes at once.
func compareIDs(v *graph.View, nodes []tuple.Node, want []string) error {
	ends := make([]int, len(nodes))
	text, err := v.IDs(nodes, []byte("before"), ends)
	if err != nil {
		return fmt.Errorf("revision %d: IDs: %w", v.Revision(), err)
	}
	from := len("before")
	for i, end := range ends {
		if got := string(text[from:end]); got != want[i] {
			return fmt.Errorf("revision %d: IDs gives node %d as %q, want %q", v.Revision(), nodes[i], got, want[i])
		}
		from = end
	}
	return nil
}

// history is the oracle: what was at every revision, shared with the readers.
type history struct {
	mu        sync.Mutex
	revisions []tuple.Revision
	models    []model
}

func (h *history) push(r tuple.Revision, m model) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revisions, h.models = append(h.revisions, r), append(h.models, m)
}

// pick returns one of the last few revisions.
func (h *history) pick(back int) (tuple.Revision, model) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := max(0, len(h.models)-1-back)
	return h.revisions[i], h.models[i]
}

// TestViewsAgainstModel lets readers hold views open over many writes and
// compares all they say with the model of their revision.
func TestViewsAgainstModel(t *testing.T) {
	for name, x := range map[string]*graph.Index{"fresh": graph.New(), "where moments wrap": graph.NewAt(1<<31 - 500)} {
		t.Run(name, func(t *testing.T) { againstModel(t, x, 0, model{}, 1500) })
	}
	r, start := rand.New(rand.NewPCG(2, 2)), model{}
	for range 20 {
		start = start.apply(randomChanges(r, 12, false))
	}
	t.Run("built at once", func(t *testing.T) { againstModel(t, build(t, start, 5, 2), 5, start, 1500) })
}

// againstModel writes to an index that holds a model at a revision.
func againstModel(t *testing.T, x *graph.Index, revision tuple.Revision, current model, writes int) {
	againstModelWith(t, x, revision, current, writes, func(tuple.Revision) {})
}

// againstModelWith tells written of each revision, and returns the last model.
func againstModelWith(t *testing.T, x *graph.Index, revision tuple.Revision, current model, writes int, written func(tuple.Revision)) model {
	var h history
	h.push(revision, current)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(reader), 1))
			views := 0
			for {
				select {
				case <-done:
					if views == 0 {
						t.Error("no view could be opened")
					}
					return
				default:
				}
				revision, want := h.pick(r.IntN(10))
				v, err := x.View(revision)
				if err != nil {
					continue // writes overtook this reader
				}
				views++
				for range 1 + r.IntN(4) { // the same answer for as long as it is open
					if err := compare(v, want); err != nil {
						t.Error(err)
					}
				}
				v.Close()
			}
		})
	}
	r := rand.New(rand.NewPCG(7, 7))
	for i := range writes {
		revision += tuple.Revision(1 + r.IntN(3))
		changes := randomChanges(r, 12, i/200%3 == 2)
		next := current.apply(changes)
		if err := x.Apply(revision, changes); err != nil {
			t.Fatal(err)
		}
		h.push(revision, next)
		written(revision)
		current = next
	}
	close(done)
	wg.Wait()
	if got, want := x.Stats().Tuples, len(current); got != want {
		t.Errorf("Stats().Tuples = %d, want %d", got, want)
	}
	return current
}

// TestEveryRevisionRetained opens a view of every revision of a long history.
func TestEveryRevisionRetained(t *testing.T) {
	x := graph.New()
	x.Retain(1)
	r := rand.New(rand.NewPCG(3, 4))
	models := []model{{}}
	for i := range 300 {
		changes := randomChanges(r, 6, i%3 == 0)
		models = append(models, models[i].apply(changes))
		if err := x.Apply(tuple.Revision(i+1), changes); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range models[1:] {
		v, err := x.View(tuple.Revision(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := compare(v, want); err != nil {
			t.Error(err)
		}
		v.Close()
	}
}
