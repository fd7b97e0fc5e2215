package graph_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Numbers of the drive's names.
var (
	driveTypes     = map[string]tuple.TypeID{"document": 1, "group": 2, "user": 3, "folder": 4}
	driveRelations = map[string]tuple.RelationID{"": 0, "viewer": 10, "editor": 11, "owner": 12, "parent": 13, "blocked": 14, "member": 20}
)

// drive returns the tuples of a shared drive, those of an object one after the other.
func drive(n int) []graph.Tuple {
	tuples := make([]graph.Tuple, 0, n)
	groups := map[string][]graph.Tuple{} // whose tuples the dataset gives in two places
	for t := range dataset.NewDrive(n, 1).Tuples() {
		g := graph.Tuple{ObjectType: driveTypes[t.Object.Type], ObjectID: t.Object.ID, Relation: driveRelations[t.Relation],
			SubjectType: driveTypes[t.Subject.Type], SubjectID: t.Subject.ID, SubjectRelation: driveRelations[t.Subject.Relation]}
		if t.Object.Type == "group" {
			groups[t.Object.ID] = append(groups[t.Object.ID], g)
			continue
		}
		tuples = append(tuples, g)
	}
	for _, group := range groups {
		tuples = append(tuples, group...)
	}
	return tuples
}

// built makes an index with a loader on each core.
func built(b *testing.B, tuples []graph.Tuple) *graph.Index {
	b.Helper()
	builder := graph.Build(1, len(tuples))
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	end := 0
	for i := range workers {
		start := end
		for end = max(end, (i+1)*len(tuples)/workers); end < len(tuples) && tuples[end].ObjectID == tuples[end-1].ObjectID; {
			end++
		}
		l, part := builder.Loader(), tuples[start:end]
		wg.Go(func() {
			for i := range part {
				if err := l.Add(&part[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	x, err := builder.Finish()
	if err != nil {
		b.Fatal(err)
	}
	return x
}

// BenchmarkBuild makes the index of a drive of a million tuples on all cores.
func BenchmarkBuild(b *testing.B) {
	tuples := drive(1_000_000)
	for b.Loop() {
		x := built(b, tuples)
		b.ReportMetric(float64(x.Stats().Bytes)/float64(len(tuples)), "B/tuple")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tuples)), "ns/tuple")
}

// BenchmarkLoad makes the same by writing, in thousands, as apply does.
func BenchmarkLoad(b *testing.B) {
	tuples := drive(1_000_000)
	for b.Loop() {
		x, revision := graph.New(), tuple.Revision(0)
		for i := 0; i < len(tuples); i += 1000 {
			changes := make([]graph.Change, 0, 1000)
			for _, t := range tuples[i:min(i+1000, len(tuples))] {
				changes = append(changes, add(t))
			}
			revision++
			if err := x.Apply(revision, changes); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(x.Stats().Bytes)/float64(len(tuples)), "B/tuple")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(tuples)), "ns/tuple")
}

// BenchmarkRead reads a drive of a million tuples at random.
func BenchmarkRead(b *testing.B) {
	tuples := drive(1_000_000)
	x := built(b, tuples)
	v, err := x.View(1)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	var objects []tuple.Node
	var subjects []tuple.Ref
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(tuples), func(i, j int) { tuples[i], tuples[j] = tuples[j], tuples[i] })
	for _, t := range tuples {
		o, _ := v.Node(t.ObjectType, t.ObjectID)
		s, _ := v.Node(t.SubjectType, t.SubjectID)
		objects, subjects = append(objects, o), append(subjects, tuple.Ref{Node: s, Relation: t.SubjectRelation})
	}
	into := make([]tuple.Edge, 64)
	each := func(name string, read func(i int) bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if at := i % len(tuples); !read(at) { // one after the other, so that the index alone is read at random
					b.Fatal(tuples[at])
				}
			}
		})
	}
	each("Node", func(i int) bool {
		n, _ := v.Node(tuples[i].ObjectType, tuples[i].ObjectID)
		return n != 0
	})
	each("Edge there", func(i int) bool {
		_, ok, _ := v.Edge(objects[i], tuples[i].Relation, subjects[i])
		return ok
	})
	each("Edge not there", func(i int) bool {
		_, ok, _ := v.Edge(objects[i], 99, subjects[i])
		return !ok
	})
	each("Subjects", func(i int) bool {
		n, _, _ := v.Subjects(objects[i], tuples[i].Relation, 0, into)
		return n > 0
	})
	each("Usersets", func(i int) bool {
		_, _, err := v.Usersets(objects[i], tuples[i].Relation, 0, into)
		return err == nil
	})
	each("Objects", func(i int) bool {
		n, _, _ := v.Objects(subjects[i], tuples[i].Relation, 0, into)
		return n > 0
	})
	each("all that a check reads of one object", func(i int) bool {
		for relation := tuple.RelationID(10); relation < 13; relation++ {
			v.Edge(objects[i], relation, tuple.Ref{Node: 77})
			v.Usersets(objects[i], relation, 0, into)
		}
		_, _, err := v.Subjects(objects[i], 13, 0, into)
		return err == nil
	})
	each("View and Close", func(int) bool {
		v, err := x.View(1)
		if err == nil {
			v.Close()
		}
		return err == nil
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
	x := built(b, tuples)
	v, err := x.View(1)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	hub, _ := v.Node(1, "hub")
	into := make([]tuple.Edge, 256)
	count := func(read func(from tuple.Cursor) (int, tuple.Cursor, error)) int {
		total := 0
		for from := tuple.Cursor(0); ; {
			n, next, err := read(from)
			if total += n; next == 0 || err != nil {
				return total
			}
			from = next
		}
	}
	b.Run("Usersets", func(b *testing.B) {
		for b.Loop() {
			if n := count(func(from tuple.Cursor) (int, tuple.Cursor, error) { return v.Usersets(hub, 10, from, into) }); n != 3 {
				b.Fatal(n)
			}
		}
	})
	b.Run("Subjects", func(b *testing.B) {
		for b.Loop() {
			if n := count(func(from tuple.Cursor) (int, tuple.Cursor, error) { return v.Subjects(hub, 10, from, into) }); n != members+3 {
				b.Fatal(n)
			}
		}
	})
}

// BenchmarkApply removes and adds single tuples of a drive of a million.
func BenchmarkApply(b *testing.B) {
	tuples := drive(1_000_000)
	x := built(b, tuples)
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
