package graph_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// corpus makes n tuples: ten users to a document, a group to every fourth.
func corpus(n int) []graph.Tuple {
	tuples := make([]graph.Tuple, 0, n)
	for i := range n {
		t := viewer(fmt.Sprintf("doc-%08d", i/10), fmt.Sprintf("user-%08d", (i*7919)%(n/10+1)))
		if i%40 == 0 {
			t.SubjectType, t.SubjectID, t.SubjectRelation = 2, fmt.Sprintf("group-%d", i%1000), 20
		}
		tuples = append(tuples, t)
	}
	return tuples
}

func loaded(b *testing.B, tuples []graph.Tuple) *graph.Index {
	b.Helper()
	x := graph.New()
	for i := 0; i < len(tuples); i += 1000 {
		if err := x.Load(1, tuples[i:min(i+1000, len(tuples))]); err != nil {
			b.Fatal(err)
		}
	}
	return x
}

func BenchmarkLoad(b *testing.B) {
	tuples := corpus(1_000_000)
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		x := loaded(b, tuples)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(tuples)), "B/tuple")
		b.ReportMetric(float64(x.Stats().Bytes)/float64(len(tuples)), "counted-B/tuple")
		runtime.KeepAlive(x)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tuples)), "ns/tuple")
}

func BenchmarkRead(b *testing.B) {
	tuples := corpus(1_000_000)
	x := loaded(b, tuples)
	v, err := x.View(1)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	var objects []tuple.Node
	var subjects []tuple.Ref
	for _, t := range tuples {
		o, _ := v.Node(t.ObjectType, t.ObjectID)
		s, _ := v.Node(t.SubjectType, t.SubjectID)
		objects, subjects = append(objects, o), append(subjects, tuple.Ref{Node: s, Relation: t.SubjectRelation})
	}
	step := func(i int) int { return i * 514229 % len(tuples) }
	b.Run("Edge there", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok, _ := v.Edge(objects[step(i)], 10, subjects[step(i)]); !ok {
				b.Fatal("missing")
			}
		}
	})
	b.Run("Edge not there", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, ok, _ := v.Edge(objects[step(i)], 11, subjects[step(i)]); ok {
				b.Fatal("there")
			}
		}
	})
	b.Run("Node", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if n, _ := v.Node(1, tuples[step(i)].ObjectID); n == 0 {
				b.Fatal("missing")
			}
		}
	})
	b.Run("Subjects of 10", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			for range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
				return v.Subjects(objects[step(i)], 10, from, into)
			}) {
			}
		}
	})
	b.Run("View and Close", func(b *testing.B) {
		for b.Loop() {
			v, err := x.View(1)
			if err != nil {
				b.Fatal(err)
			}
			v.Close()
		}
	})
}

func BenchmarkHub(b *testing.B) {
	const members = 1_000_000
	tuples := make([]graph.Tuple, 0, members+3)
	for i := range members {
		tuples = append(tuples, viewer("hub", fmt.Sprint("user-", i)))
	}
	for i := range 3 {
		t := viewer("hub", fmt.Sprint("group-", i))
		t.SubjectType, t.SubjectRelation = 2, 20
		tuples = append(tuples, t)
	}
	x := loaded(b, tuples)
	v, err := x.View(1)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	hub, _ := v.Node(1, "hub")
	b.Run("Usersets", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
				return v.Usersets(hub, 10, from, into)
			}) {
				n++
			}
			if n != 3 {
				b.Fatal(n)
			}
		}
	})
	b.Run("Subjects", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
				return v.Subjects(hub, 10, from, into)
			}) {
				n++
			}
			if n != members+3 {
				b.Fatal(n)
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	tuples := corpus(1_000_000)
	x := loaded(b, tuples)
	revision := tuple.Revision(1)
	for i := 0; b.Loop(); i++ {
		t := tuples[i*514229%len(tuples)]
		if err := x.Apply(revision+1, []graph.Change{remove(t)}); err != nil {
			b.Fatal(err)
		}
		if err := x.Apply(revision+2, []graph.Change{add(t)}); err != nil {
			b.Fatal(err)
		}
		revision += 2
	}
}
