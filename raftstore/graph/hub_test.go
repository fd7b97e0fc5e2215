package graph_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// members counts what a view says of the hub, and fails on one named twice.
func members(t *testing.T, v *graph.View) int {
	seen := map[tuple.Node]bool{}
	hub, _ := v.Node(1, "hub")
	for e, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return v.Subjects(hub, 10, from, into)
	}) {
		if err != nil || seen[e.Ref.Node] {
			t.Errorf("Subjects yields %v twice or with an error: %v", e, err)
		}
		seen[e.Ref.Node] = true
	}
	return len(seen)
}

// TestHub lets one relation grow and shrink by thousands, so that its list is
// extended and rebuilt, while readers count it.
func TestHub(t *testing.T) {
	x := graph.New()
	type count struct {
		revision tuple.Revision
		members  int
	}
	var mu sync.Mutex
	newest := count{}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				mu.Lock()
				want := newest
				mu.Unlock()
				v, err := x.View(want.revision)
				if err != nil {
					continue
				}
				for range 2 {
					if got := members(t, v); got != want.members {
						t.Errorf("revision %d: %d members, want %d", want.revision, got, want.members)
					}
				}
				v.Close()
			}
		})
	}
	r := rand.New(rand.NewPCG(5, 6))
	in := map[int]bool{}
	for revision := tuple.Revision(1); revision <= 400; revision++ {
		growing := revision/50%2 == 0
		var changes []graph.Change
		for range 40 {
			n := r.IntN(3000)
			in[n] = growing
			changes = append(changes, graph.Change{Remove: !growing, Tuple: viewer("hub", fmt.Sprint("user-", n))})
		}
		if !growing { // and whole runs of them, so that lists are rebuilt
			first := r.IntN(3000)
			for n := first; n < min(3000, first+300); n++ {
				in[n] = false
				changes = append(changes, remove(viewer("hub", fmt.Sprint("user-", n))))
			}
		}
		apply(t, x, revision, changes...)
		total := 0
		for _, there := range in {
			if there {
				total++
			}
		}
		mu.Lock()
		newest = count{revision, total}
		mu.Unlock()
	}
	close(done)
	wg.Wait()
}

// TestGrowth holds the table to its word: more shards, not larger ones.
func TestGrowth(t *testing.T) {
	x := graph.New()
	const n = 60_000
	var tuples []graph.Tuple
	for i := range n {
		tuples = append(tuples, viewer(fmt.Sprint("doc-", i/3), fmt.Sprint("user-", i%1000)))
	}
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part * n / 4; i < (part+1)*n/4; i += 500 {
				if err := x.Load(9, tuples[i:i+500]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := x.Shards(); got*graph.MaxShard < n/3 {
		t.Errorf("%d shards hold %d names, a shard at most %d", got, n/3, graph.MaxShard)
	}
	v := open(t, x, 9)
	for _, tup := range tuples {
		if !holds(t, v, tup.ObjectID, tup.SubjectID) {
			t.Fatalf("%v is not there after the load", tup)
		}
	}
}
