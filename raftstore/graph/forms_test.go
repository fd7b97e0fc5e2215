package graph_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// walk is a list that is being read in chunks while writes go on, with what its
// view should find in it.
type walk struct {
	v     *graph.View
	what  string
	read  func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)
	want  map[key]attributes
	keyOf func(v *graph.View, e tuple.Edge) key
	from  tuple.Cursor
	seen  map[key]attributes
}

// relations of the hub: some are too high for an entry's label.
var hubRelations = []tuple.RelationID{10, 11, 32_766, 32_767, 70_000}

// hubTuple is a tuple of the object hub or of the subject hub.
func hubTuple(r *rand.Rand, others int) graph.Tuple {
	other := fmt.Sprint("n", r.IntN(others))
	t := graph.Tuple{ObjectType: 1, ObjectID: "hub", Relation: hubRelations[r.IntN(len(hubRelations))], SubjectType: 3, SubjectID: other}
	if r.IntN(2) == 0 {
		t.ObjectID, t.SubjectID = other, "hub"
	}
	if r.IntN(4) == 0 {
		t.SubjectType, t.SubjectRelation = 2, []tuple.RelationID{20, 80_000}[r.IntN(2)]
	}
	if r.IntN(6) == 0 {
		t.Condition, t.Expires = 7, uint64(r.IntN(2))
	}
	return t
}

// open begins a walk over one of the hub's lists.
func (m model) open(t *testing.T, r *rand.Rand, v *graph.View) *walk {
	w := &walk{v: v, want: map[key]attributes{}, seen: map[key]attributes{}}
	relation := hubRelations[r.IntN(len(hubRelations))]
	ref := tuple.RelationID([]int{0, 0, 20, 80_000}[r.IntN(4)])
	kind := tuple.TypeID(3)
	if ref != 0 {
		kind = 2
	}
	object, _ := v.Node(1, "hub")
	subject, _ := v.Node(kind, "hub")
	which := r.IntN(4)
	matches := [...]func(k key) bool{
		func(k key) bool { return k.object == "hub" && k.relation == relation },
		func(k key) bool { return k.object == "hub" && k.relation == relation && k.subjectRelation != 0 },
		func(k key) bool {
			return k.subject == "hub" && k.subjectType == kind && k.subjectRelation == ref && k.relation == relation
		},
		func(k key) bool { return k.subject == "hub" && k.subjectType == kind && k.subjectRelation == ref },
	}[which]
	for k, a := range m {
		if matches(k) {
			w.want[k] = a
		}
	}
	w.what = fmt.Sprintf("list %d of relation %d, reference %d, at %d", which, relation, ref, v.Revision())
	w.keyOf = func(v *graph.View, e tuple.Edge) key {
		kind, id, err := v.Object(e.Ref.Node)
		if err != nil {
			t.Errorf("%s: %v", w.what, err)
		}
		if which < 2 {
			return key{1, "hub", relation, kind, id, e.Ref.Relation}
		}
		return key{kind, id, e.Ref.Relation, map[bool]tuple.TypeID{true: 3, false: 2}[ref == 0], "hub", ref}
	}
	w.read = [...]func(tuple.Cursor, []tuple.Edge) (int, tuple.Cursor, error){
		func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return v.Subjects(object, relation, from, into)
		},
		func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return v.Usersets(object, relation, from, into)
		},
		func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return v.Objects(tuple.Ref{Node: subject, Relation: ref}, relation, from, into)
		},
		func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return v.Objects(tuple.Ref{Node: subject, Relation: ref}, 0, from, into)
		},
	}[which]
	return w
}

// step reads one chunk, and says whether the list is read to its end; then it
// holds what was read against what should be there.
func (w *walk) step(t *testing.T, r *rand.Rand) (done bool) {
	into := make([]tuple.Edge, 1+r.IntN(20))
	n, next, err := w.read(w.from, into)
	if err != nil {
		t.Fatalf("%s: %v", w.what, err)
	}
	for _, e := range into[:n] {
		k := w.keyOf(w.v, e)
		if _, twice := w.seen[k]; twice {
			t.Errorf("%s: %v comes twice", w.what, k)
		}
		w.seen[k] = attributes{e.Condition, e.Context, e.Expires}
	}
	if w.from = next; next != 0 {
		return false
	}
	if !maps.Equal(w.seen, w.want) {
		t.Fatalf("%s: %d are listed, %d should be", w.what, len(w.seen), len(w.want))
	}
	for k, a := range w.want {
		if err := compareEdge(w.v, k, a); err != nil {
			t.Error(err)
		}
	}
	return true
}

// TestListsChangeFormWhileRead lets the lists of one object and one subject grow
// from nothing to hundreds and shrink again, through every form that a list has,
// while walks go on chunk by chunk in views of different age.
func TestListsChangeFormWhileRead(t *testing.T) {
	writes := 6000
	if testing.Short() {
		writes = 1200
	}
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 9))
		x := graph.New()
		x.SmallShards()
		if seed%2 == 1 {
			start := large(r, 300)
			x = build(t, start, 1, 2, (*graph.Builder).SmallShards)
			var clear []graph.Change
			for k := range start {
				clear = append(clear, remove(tupleOf(k, attributes{})))
			}
			apply(t, x, 1, clear...)
		}
		current := model{}
		var walks []*walk
		for i := range writes {
			revision := tuple.Revision(2 + i)
			growing := i/300%2 == 0
			changes := make([]graph.Change, 1+r.IntN(6))
			for j := range changes {
				changes[j] = graph.Change{Remove: growing == (r.IntN(8) == 0), Tuple: hubTuple(r, []int{12, 60, 900}[i/600%3])}
			}
			if !growing { // random removals seldom meet a tuple: meet some
				for k := range current {
					if changes = append(changes, remove(tupleOf(k, attributes{}))); len(changes) > 8 {
						break
					}
				}
			}
			for _, c := range changes {
				if c.Remove {
					delete(current, keyOf(c.Tuple))
				} else {
					current[keyOf(c.Tuple)] = attributes{c.Tuple.Condition, c.Tuple.Context, c.Tuple.Expires}
				}
			}
			apply(t, x, revision, changes...)
			if len(walks) < 12 {
				v, err := x.View(revision)
				if err != nil {
					t.Fatal(err)
				}
				walks = append(walks, current.open(t, r, v))
			}
			for range 2 {
				n := r.IntN(len(walks))
				if walks[n].step(t, r) {
					walks[n].v.Close()
					walks = append(walks[:n], walks[n+1:]...)
				}
				if len(walks) == 0 {
					break
				}
			}
		}
		for _, w := range walks {
			for !w.step(t, r) {
			}
			w.v.Close()
		}
		if got := x.Stats().Tuples; got != len(current) {
			t.Errorf("Tuples = %d, want %d", got, len(current))
		}
	}
}
