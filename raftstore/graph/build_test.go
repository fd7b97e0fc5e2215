package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// build makes an index of a model with several loaders, each having the tuples
// of its own objects.
func build(t testing.TB, m model, revision tuple.Revision, loaders int, prepare ...func(*graph.Builder)) *graph.Index {
	t.Helper()
	objects := map[string][]graph.Tuple{}
	for k, a := range m {
		name := fmt.Sprint(k.objectType, k.object)
		objects[name] = append(objects[name], graph.Tuple{ObjectType: k.objectType, ObjectID: k.object, Relation: k.relation,
			SubjectType: k.subjectType, SubjectID: k.subject, SubjectRelation: k.subjectRelation,
			Condition: a.condition, Context: a.context, Expires: a.expires})
	}
	parts := make([][]graph.Tuple, loaders)
	n := 0
	for _, list := range objects {
		parts[n%loaders] = append(parts[n%loaders], list...)
		n++
	}
	b := graph.Build(revision, len(m))
	for _, p := range prepare {
		p(b)
	}
	var wg sync.WaitGroup
	for _, part := range parts {
		l := b.Loader()
		wg.Go(func() {
			for i := range part {
				if err := l.Add(&part[i]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	x, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// large returns a model with objects and subjects that few and that many tuples
// name, so that every form of list is among them.
func large(r *rand.Rand, n int) model {
	m := model{}
	for i := range n {
		tup := randomTuple(r, 6)
		if i%3 > 0 {
			tup.ObjectID = fmt.Sprint("object of its own ", r.IntN(n))
		}
		if i%5 > 2 {
			tup.SubjectID = fmt.Sprint("a subject with an id that is too long for its node ", r.IntN(n))
		}
		m[keyOf(tup)] = attributes{tup.Condition, tup.Context, tup.Expires}
	}
	return m
}

// TestBuild compares indexes that several goroutines have built with the model,
// and again after writes to them.
func TestBuild(t *testing.T) {
	for _, n := range []int{0, 1, 30, 400, 2500} {
		r := rand.New(rand.NewPCG(uint64(n), 1))
		current := large(r, n)
		x := build(t, current, 7, 1+n%4, (*graph.Builder).SmallShards)
		if _, err := x.View(6); !errors.Is(err, graph.ErrReclaimed) {
			t.Errorf("View before the build: %v, want ErrReclaimed", err)
		}
		v := open(t, x, 7)
		if err := compare(v, current); err != nil {
			t.Fatalf("%d tuples: %v", n, err)
		}
		built := current
		for revision := tuple.Revision(8); revision < 40; revision++ {
			changes := randomChanges(r, 50, revision%3 > 0)
			for k, a := range current { // and some of what was built
				if r.IntN(1+len(current)/20) == 0 {
					changes = append(changes, graph.Change{Remove: r.IntN(2) == 0, Tuple: tupleOf(k, attributes{condition: a.condition + 1})})
				}
			}
			current = current.apply(changes)
			apply(t, x, revision, changes...)
		}
		if err := compare(v, built); err != nil {
			t.Errorf("%d tuples, after writes: %v", n, err)
		}
		if err := compare(open(t, x, 39), current); err != nil {
			t.Errorf("%d tuples, after writes: %v", n, err)
		}
		if got := x.Stats().Tuples; got != len(current) {
			t.Errorf("Tuples = %d, want %d", got, len(current))
		}
	}
}

func tupleOf(k key, a attributes) graph.Tuple {
	return graph.Tuple{ObjectType: k.objectType, ObjectID: k.object, Relation: k.relation, SubjectType: k.subjectType,
		SubjectID: k.subject, SubjectRelation: k.subjectRelation, Condition: a.condition, Context: a.context, Expires: a.expires}
}

// TestBuildOfManyNames lets the directory of names grow beyond what was foreseen.
func TestBuildOfManyNames(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 1.2 million names")
	}
	const objects, loaders = 600_000, 3
	b := graph.Build(1, 1<<18)
	var wg sync.WaitGroup
	for part := range loaders {
		l := b.Loader()
		wg.Go(func() {
			for i := part; i < objects; i += loaders {
				tup := viewer(fmt.Sprint("d", i), fmt.Sprint("u", i))
				if err := l.Add(&tup); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	x, err := b.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if got := x.Stats(); got.Tuples != objects || got.Objects != 2*objects {
		t.Errorf("Stats = %+v", got)
	}
	v := open(t, x, 1)
	for i := range objects {
		if !holds(t, v, fmt.Sprint("d", i), fmt.Sprint("u", i)) {
			t.Fatalf("tuple %d is missing", i)
		}
	}
}

func TestBuildOfObjectsThatComeApart(t *testing.T) {
	b := graph.Build(1, 3)
	l := b.Loader()
	var err error
	for _, document := range []string{"a", "b", "a", "c"} {
		tup := viewer(document, "ana")
		if e := l.Add(&tup); err == nil {
			err = e
		}
	}
	if _, e := b.Finish(); err == nil {
		err = e
	}
	if !errors.Is(err, graph.ErrApart) {
		t.Errorf("Add = %v, want ErrApart", err)
	}
}
