package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func viewer(document, user string) graph.Tuple {
	return graph.Tuple{ObjectType: 1, ObjectID: document, Relation: 10, SubjectType: 3, SubjectID: user}
}

func add(t graph.Tuple) graph.Change    { return graph.Change{Tuple: t} }
func remove(t graph.Tuple) graph.Change { return graph.Change{Remove: true, Tuple: t} }

func apply(t *testing.T, x *graph.Index, r tuple.Revision, changes ...graph.Change) {
	t.Helper()
	if err := x.Apply(r, changes); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, x *graph.Index, r tuple.Revision) *graph.View {
	t.Helper()
	v, err := x.View(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func holds(t *testing.T, v *graph.View, document, user string) bool {
	t.Helper()
	o, err := v.Node(1, document)
	if err != nil {
		t.Fatal(err)
	}
	s, err := v.Node(3, user)
	if err != nil {
		t.Fatal(err)
	}
	_, ok, err := v.Edge(o, 10, tuple.Ref{Node: s})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestMemoryIsReused(t *testing.T) {
	x := graph.New()
	revision := tuple.Revision(0)
	round := func(i int) {
		var in, out []graph.Change
		for n := range 500 {
			tup := viewer(fmt.Sprintf("round-%d-%d", i, n/4), fmt.Sprintf("user-%d-%d", i, n%9))
			tup.Context = tuple.Context(fmt.Sprintf(`{"round":%d}`, i))
			in, out = append(in, add(tup)), append(out, remove(tup))
		}
		apply(t, x, revision+1, in...)
		apply(t, x, revision+2, out...)
		revision += 2
	}
	for i := range 50 {
		round(i)
	}
	before := x.Stats().Bytes
	for i := range 500 {
		round(1000 + i)
	}
	if after := x.Stats().Bytes; after > before*5/4 {
		t.Errorf("500 rounds of other ids took the index from %d to %d bytes", before, after)
	}
	for range 40 { // the writes that the lag keeps
		revision++
		apply(t, x, revision)
	}
	if got := x.Stats(); got.Tuples != 0 || got.Held != 0 || got.Objects != 0 || got.Retired != 0 {
		t.Errorf("all is removed, Stats() = %+v", got)
	}
}

// TestMemoryOfListsIsReused lets lists of every size grow and shrink again and
// again, and tuples be set and removed in a loop while a view is now and then open.
func TestMemoryOfListsIsReused(t *testing.T) {
	x := graph.New()
	r := rand.New(rand.NewPCG(1, 8))
	revision := tuple.Revision(0)
	round := func() {
		size := []int{3, 5, 30, 70, 300, 7000}[r.IntN(6)]
		hub := fmt.Sprint("hub-", r.IntN(4))
		var in, out []graph.Change
		for n := range size {
			tup := viewer(hub, fmt.Sprint("user-", n))
			if n%2 == 0 {
				tup = viewer(fmt.Sprint("doc-", n), hub)
			}
			if n%5 == 0 {
				tup.Expires = uint64(r.IntN(3))
			}
			in, out = append(in, add(tup)), append(out, remove(tup))
		}
		apply(t, x, revision+1, in...)
		v := open(t, x, revision+1)
		apply(t, x, revision+2, out[:size/2]...)
		apply(t, x, revision+3, in[:size/2]...)
		v.Close()
		apply(t, x, revision+4, out...)
		revision += 4
	}
	for range 60 {
		round()
	}
	before := x.Stats().Bytes
	for range 150 {
		round()
	}
	if after := x.Stats().Bytes; after > before*5/4 {
		t.Errorf("150 rounds more took the index from %d to %d bytes", before, after)
	}
	for range 200 {
		revision++
		apply(t, x, revision)
	}
	if got := x.Stats(); got.Tuples != 0 || got.Held != 0 || got.Objects != 0 || got.Retired != 0 {
		t.Errorf("all is removed, Stats() = %+v", got)
	}
}

func TestOpenViewKeepsItsRevision(t *testing.T) {
	x := graph.New()
	apply(t, x, 5, add(viewer("a", "ana")))
	v := open(t, x, 5)
	apply(t, x, 6, remove(viewer("a", "ana")))
	for r := tuple.Revision(7); r < 200; r++ {
		apply(t, x, r, add(viewer("b", "ana")), remove(viewer("b", "ana")), add(viewer("a", "bo")), remove(viewer("a", "bo")))
	}
	if !holds(t, v, "a", "ana") || holds(t, v, "b", "ana") {
		t.Error("the view at 5 changed")
	}
	newest := open(t, x, 199)
	if holds(t, newest, "a", "ana") {
		t.Error("the view at 199 sees what was removed at 6")
	}
	newest.Close()
	if got := x.Stats().Retired; got < 300 {
		t.Errorf("Retired = %d while a view is open at 5", got)
	}
	v.Close()
	for r := tuple.Revision(200); r < 300; r++ {
		apply(t, x, r)
	}
	if got := x.Stats(); got.Retired > 0 || got.Held > 0 {
		t.Errorf("after Close, Stats() = %+v", got)
	}
}

func TestViewOfReclaimedRevision(t *testing.T) {
	x := graph.New()
	if err := x.Load(100, []graph.Tuple{viewer("a", "ana")}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.View(99); !errors.Is(err, graph.ErrReclaimed) {
		t.Errorf("View before the load: %v, want ErrReclaimed", err)
	}
	for r := tuple.Revision(101); r < 200; r++ {
		apply(t, x, r)
	}
	if _, err := x.View(101); !errors.Is(err, graph.ErrReclaimed) {
		t.Errorf("View of an old revision: %v, want ErrReclaimed", err)
	}
	if v, err := x.View(198); err != nil || !holds(t, v, "a", "ana") {
		t.Errorf("View one write back: %v", err)
	}
	if v, err := x.View(5000); err != nil || !holds(t, v, "a", "ana") {
		t.Errorf("View of a revision without changes here: %v", err)
	}
	x.Retain(150)
	apply(t, x, 250, remove(viewer("a", "ana")))
	for r := tuple.Revision(251); r < 300; r++ {
		apply(t, x, r)
	}
	if !holds(t, open(t, x, 249), "a", "ana") {
		t.Error("what was retained is gone")
	}
}

func TestOrder(t *testing.T) {
	x := graph.New()
	apply(t, x, 7, add(viewer("a", "ana")))
	apply(t, x, 7, add(viewer("b", "ana")))
	if err := x.Apply(6, []graph.Change{add(viewer("c", "ana"))}); !errors.Is(err, graph.ErrOrder) {
		t.Errorf("Apply(6) after 7: %v, want ErrOrder", err)
	}
	v := open(t, x, 7)
	if !holds(t, v, "a", "ana") || !holds(t, v, "b", "ana") || holds(t, v, "c", "ana") {
		t.Error("revision 7 is not made of its two parts")
	}
}

func TestClosedView(t *testing.T) {
	x := graph.New()
	apply(t, x, 1, add(viewer("a", "ana")), add(viewer("a", "bo")))
	v := open(t, x, 1)
	o, _ := v.Node(1, "a")
	v.Close()
	if _, err := v.Node(1, "a"); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Node of a closed view: %v", err)
	}
	if _, _, err := v.Object(o); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Object of a closed view: %v", err)
	}
	if _, err := v.IDs([]tuple.Node{o}, nil, make([]int, 1)); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("IDs of a closed view: %v", err)
	}
	if _, _, err := v.Edge(o, 10, tuple.Ref{Node: o}); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Edge of a closed view: %v", err)
	}
	if _, _, err := v.Type(o); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Type of a closed view: %v", err)
	}
	if _, _, err := v.Subjects(o, 10, 0, make([]tuple.Edge, 1)); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Subjects of a closed view: %v", err)
	}
	if _, _, err := v.Nodes(1, 0, make([]tuple.Node, 1)); !errors.Is(err, graph.ErrClosed) {
		t.Errorf("Nodes of a closed view: %v", err)
	}
	v.Ahead([]tuple.ObjectName{{Type: 1, ID: "a"}}, nil) // does nothing
	if got := x.Stats().Tuples; got != 2 {
		t.Errorf("Tuples = %d, want 2", got)
	}
}

func TestUnknownNumbers(t *testing.T) {
	x := graph.New()
	empty := open(t, x, 1)
	if _, _, err := empty.Object(1); !errors.Is(err, graph.ErrUnknownNode) {
		t.Errorf("Object(1) of an empty index: %v", err)
	}
	tup := viewer("a", "ana")
	tup.Context = `{"n":1}`
	apply(t, x, 1, add(tup))
	v := open(t, x, 1)
	for n := range tuple.Node(2000) {
		if kind, id, err := v.Object(n); err == nil && (kind != 1 || id != "a") && (kind != 3 || id != "ana") {
			t.Errorf("Object(%d) = %d:%s", n, kind, id)
		}
		_, _, unknown := v.Object(n)
		if ids, err := v.IDs([]tuple.Node{n}, nil, make([]int, 1)); (err == nil) != (unknown == nil) {
			t.Errorf("IDs of %d: %q, %v", n, ids, err)
		}
	}
	if _, err := v.IDs([]tuple.Node{1 << 31}, nil, make([]int, 1)); !errors.Is(err, graph.ErrUnknownNode) {
		t.Errorf("IDs of a number never given: %v", err)
	}
	if n, err := v.Node(^tuple.TypeID(0), `{"n":1}`); n != 0 || err != nil {
		t.Errorf("a context is found as an object: %d, %v", n, err)
	}
	if _, ok, err := v.Edge(1<<31, 10, tuple.Ref{Node: 1 << 30}); ok || err != nil {
		t.Errorf("Edge of numbers never given: %v, %v", ok, err)
	}
}

// TestMomentsWrap passes billions of writes between a few, with tuples as old
// as the first of them.
func TestMomentsWrap(t *testing.T) {
	x := graph.New()
	r := rand.New(rand.NewPCG(1, 2))
	current, revision := model{}, tuple.Revision(0)
	for i := range 200 {
		revision++
		changes := randomChanges(r, 8, i%10 == 9)
		current = current.apply(changes)
		apply(t, x, revision, changes...)
		v, err := x.View(revision)
		if err != nil {
			t.Fatal(err)
		}
		if err := compare(v, current); err != nil {
			t.Fatalf("after %d times %d writes: %v", i, graph.ManyWrites, err)
		}
		v.Close()
		x.Skip(graph.ManyWrites + 1)
	}
}

func TestViewOpenForTooManyWrites(t *testing.T) {
	x := graph.New()
	apply(t, x, 1, add(viewer("a", "ana")))
	v := open(t, x, 1)
	x.Skip(1 << 29)
	if err := x.Apply(2, nil); !errors.Is(err, graph.ErrPinned) {
		t.Errorf("Apply = %v, want ErrPinned", err)
	}
	v.Close()
	apply(t, x, 2, add(viewer("a", "bo")))
	if v := open(t, x, 2); !holds(t, v, "a", "ana") || !holds(t, v, "a", "bo") {
		t.Error("after Close, a tuple is missing")
	}
}
