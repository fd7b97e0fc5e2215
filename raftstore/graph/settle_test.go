package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// settle settles all that can be, in steps of one size.
func settle(x *graph.Index, from tuple.Revision, budget int) {
	for x.Settle(from, budget) {
	}
}

// TestSettleWithoutWrites: what the last writes left goes without another one, but
// for what an open view sees.
func TestSettleWithoutWrites(t *testing.T) {
	x := graph.New()
	x.Retain(1)
	for r := tuple.Revision(1); r <= 40; r++ {
		apply(t, x, r, add(viewer(fmt.Sprint("doc-", r%8), fmt.Sprint("user-", r))))
	}
	if got := x.Stats(); got.Held != 39 { // every view sees the first
		t.Fatalf("after 40 writes, Stats() = %+v", got)
	}
	old := open(t, x, 10)
	settle(x, 40, 1)
	if got := x.Stats(); got.Held < 30 || got.Retired == 0 {
		t.Errorf("with a view at 10, Stats() = %+v", got)
	}
	if !holds(t, old, "doc-2", "user-10") || holds(t, old, "doc-3", "user-11") {
		t.Error("the view at 10 sees another revision")
	}
	old.Close()
	if !x.Settle(40, 1) {
		t.Error("one piece of work is said to be all")
	}
	settle(x, 40, 7)
	if got := x.Stats(); got.Held != 0 || got.Retired != 0 || got.Tuples != 40 {
		t.Errorf("without a view, Stats() = %+v", got)
	}
	if _, err := x.View(39); !errors.Is(err, graph.ErrReclaimed) {
		t.Errorf("View(39): %v, want ErrReclaimed", err)
	}
	if v := open(t, x, 40); !holds(t, v, "doc-0", "user-40") || !holds(t, v, "doc-2", "user-10") {
		t.Error("a settled tuple is missing")
	}
}

// TestYoungAreBounded: a bulk load leaves few versions, whatever Retain says, and
// more only where somebody goes on asking for a revision.
func TestYoungAreBounded(t *testing.T) {
	const most, writes = 100, 400
	x := graph.New()
	x.FewYoung(most)
	x.Retain(1)
	load := func(from tuple.Revision) {
		for r := from; r < from+writes; r++ {
			apply(t, x, r, add(viewer(fmt.Sprint("doc-", r), fmt.Sprint("user-", r))))
		}
	}
	load(1)
	if got := x.Stats(); got.Held > most+17 {
		t.Errorf("after a load, Stats() = %+v", got)
	}
	if _, err := x.View(writes / 2); !errors.Is(err, graph.ErrReclaimed) {
		t.Errorf("View in the middle of a load: %v, want ErrReclaimed", err)
	}
	v := open(t, x, writes)
	v.Keep()
	v.Close()
	load(writes + 1)
	again := open(t, x, writes)
	if !holds(t, again, fmt.Sprint("doc-", writes), fmt.Sprint("user-", writes)) || holds(t, again, fmt.Sprint("doc-", writes+1), fmt.Sprint("user-", writes+1)) {
		t.Error("the revision that was kept is another")
	}
	again.Close()
	if got := x.Stats(); got.Held < writes {
		t.Errorf("with a revision kept, Stats() = %+v", got)
	}
	settle(x, writes+1, 64)
	if got := x.Stats(); got.Held > most+1 {
		t.Errorf("once Retain is past it, Stats() = %+v", got)
	}
	settle(x, 2*writes, 64)
	if got := x.Stats(); got.Held != 0 || got.Retired != 0 || got.Tuples != 2*writes {
		t.Errorf("settled, Stats() = %+v", got)
	}
}

// TestSettlingBesideViews holds views to the model of their revision while one
// goroutine writes and another settles behind it, with much and with little that
// may wait.
func TestSettlingBesideViews(t *testing.T) {
	for _, young := range []int{5, 1 << 16} {
		t.Run(fmt.Sprint(young), func(t *testing.T) {
			x := graph.New()
			x.FewYoung(young)
			x.Retain(1)
			var newest atomic.Uint64
			done := make(chan struct{})
			var settler sync.WaitGroup
			settler.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if at := tuple.Revision(newest.Load()); at > 20 {
						x.Settle(at-20, 3)
					}
				}
			})
			last := againstModelWith(t, x, 0, model{}, 800, func(r tuple.Revision) { newest.Store(uint64(r)) })
			close(done)
			settler.Wait()
			settle(x, tuple.Revision(newest.Load()), 10)
			attributed := 0
			for _, a := range last {
				if a != (attributes{}) {
					attributed++
				}
			}
			if got := x.Stats(); got.Held != attributed || got.Retired != 0 || got.Tuples != len(last) {
				t.Errorf("settled, Stats() = %+v, want %d of %d tuples held", got, attributed, len(last))
			}
			if err := compare(open(t, x, tuple.Revision(newest.Load())), last); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestKeptRevisions opens views of revisions that were kept among many that were
// not, and compares them with the model until Retain passes them.
func TestKeptRevisions(t *testing.T) {
	x := graph.New()
	x.FewYoung(20)
	x.Retain(1)
	r := rand.New(rand.NewPCG(5, 6))
	models, kept := []model{{}}, []tuple.Revision{}
	for i := range tuple.Revision(400) {
		changes := randomChanges(r, 6, i%3 == 0)
		models = append(models, models[i].apply(changes))
		apply(t, x, i+1, changes...)
		if r.IntN(25) == 0 {
			v, err := x.View(i + 1)
			if err != nil {
				t.Fatal(err)
			}
			v.Keep()
			v.Close()
			kept = append(kept, i+1)
		}
		from := max(i, 100) - 99
		settle(x, from, 50)
		for _, at := range kept {
			if at < from {
				continue // whether it is still there depends on what came since
			}
			v, err := x.View(at)
			if err != nil {
				t.Fatalf("at %d, kept %d: %v", i+1, at, err)
			}
			if r.IntN(4) == 0 {
				if err := compare(v, models[at]); err != nil {
					t.Error(err)
				}
			}
			v.Close()
		}
	}
	if len(kept) == 0 {
		t.Error("nothing was kept")
	}
}

// TestSettleLeavesTheNewestWrites: readers are told of a write when it is in all
// indexes, so what was before it must be there, however large it is.
func TestSettleLeavesTheNewestWrites(t *testing.T) {
	x := graph.New()
	x.FewYoung(5)
	x.Retain(1)
	for r := tuple.Revision(1); r <= 30; r++ {
		apply(t, x, r, add(viewer(fmt.Sprint("doc-", r), "ana")))
	}
	var large []graph.Change
	for i := range 100 {
		large = append(large, remove(viewer(fmt.Sprint("doc-", i), "ana")), add(viewer("new", fmt.Sprint("user-", i))))
	}
	apply(t, x, 31, large...)
	settle(x, 20, 10)
	if v := open(t, x, 30); !holds(t, v, "doc-30", "ana") || holds(t, v, "new", "user-1") {
		t.Error("what was before the newest write is gone")
	}
	settle(x, 30, 10)
	if v := open(t, x, 30); !holds(t, v, "doc-30", "ana") || holds(t, v, "new", "user-1") {
		t.Error("the revision that is retained is gone")
	}
}
