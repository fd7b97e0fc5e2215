package inprocess_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/engine"
)

// sizes of the drive, by the names that PEMBA_BENCH_SIZES may list, with a comma
// between; S,M without it.
var sizes = map[string]int{"S": dataset.SizeS, "M": dataset.SizeM, "10M": 10_000_000, "100M": 100_000_000}

// BenchmarkDrive asks a shared drive who may view what, in process: no HTTP, no
// Raft. Every answer is compared. check has a view open, as a batch has; request
// opens and closes one for every check; walk is the evaluator that is written by
// hand for this schema, the floor.
//
//	go test ./bench/... -run '^$' -bench Drive -benchtime 2s
//
// PEMBA_BENCH_DIR names a folder that keeps the datasets, so that only the first
// run loads them.
func BenchmarkDrive(b *testing.B) { eachSize(b, benchDrive) }

// eachSize runs a benchmark for every size of PEMBA_BENCH_SIZES.
func eachSize(b *testing.B, run func(b *testing.B, d *dataset.Drive)) {
	names := os.Getenv("PEMBA_BENCH_SIZES")
	if names == "" {
		names = "S,M"
	}
	for name := range strings.SplitSeq(names, ",") {
		size, ok := sizes[name]
		if !ok {
			b.Fatalf("PEMBA_BENCH_SIZES names %q, which is no size", name)
		}
		b.Run(name, func(b *testing.B) { run(b, dataset.NewDrive(size, 1)) })
	}
}

func benchDrive(b *testing.B, d *dataset.Drive) {
	store, view := open(b, d)
	questions := d.Questions(1, min(d.Size(), 200_000))
	b.Run("check", func(b *testing.B) { checks(b, view, questions) })
	b.Run("request", func(b *testing.B) {
		each(b, len(questions), func(i int) {
			v, done, err := store.View()
			if err != nil {
				b.Fatal(err)
			}
			ask(b, v, &questions[i])
			done()
		})
	})
	b.Run("walk", func(b *testing.B) {
		w := d.Walk()
		each(b, len(questions), func(i int) {
			if q := &questions[i]; w.MayView(q.Object.ID, q.Subject.ID) != q.Allowed {
				b.Fatalf("%v %v: not %v", q.Subject, q.Object, q.Allowed)
			}
		})
	})
	lists := d.ObjectLists(1, 10)
	for _, limit := range []int{0, 100} {
		name := "objects"
		if limit > 0 {
			name = fmt.Sprintf("objects-page-%d", limit)
		}
		b.Run(name, func(b *testing.B) {
			found := 0
			each(b, len(lists), func(i int) {
				l := &lists[i]
				p, err := engine.LookupObjects(b.Context(), view, engine.ObjectsQuestion{Type: l.Type, Permission: l.Permission, Subject: l.Subject},
					engine.Page{Limit: limit})
				want := len(l.IDs)
				if limit > 0 {
					want = min(want, limit)
				}
				if err != nil || len(p.Found) != want {
					b.Fatalf("%v: %d objects, want %d (%v)", l.Subject, len(p.Found), want, err)
				}
				found = len(p.Found)
			})
			b.ReportMetric(float64(found), "objects")
		})
	}
}

// BenchmarkShapes asks about the graphs that are deep, wide, dense or circular.
func BenchmarkShapes(b *testing.B) {
	d := dataset.NewShapes(1_000_000)
	_, view := open(b, d)
	for _, shape := range d.Shapes() {
		for _, q := range shape.Questions {
			b.Run(fmt.Sprintf("%s/%s=%v", shape.Name, q.Subject.ID, q.Allowed), func(b *testing.B) {
				checks(b, view, []dataset.Question{q})
			})
		}
	}
}

// BenchmarkProducts asks about the four example access models.
func BenchmarkProducts(b *testing.B) {
	for _, name := range dataset.Products() {
		b.Run(name, func(b *testing.B) {
			d, err := dataset.NewProduct(name, 50_000, 1)
			if err != nil {
				b.Fatal(err)
			}
			_, view := open(b, d)
			checks(b, view, d.Questions(1, 20_000))
		})
	}
}

// open loads a dataset, or finds it in the folder of PEMBA_BENCH_DIR.
func open(b *testing.B, d dataset.Dataset) (*inprocess.Store, engine.View) {
	dir := os.Getenv("PEMBA_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	store, err := inprocess.Open(dir, d)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	view, done, err := store.View()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(done)
	return store, view
}

func checks(b *testing.B, v engine.View, questions []dataset.Question) {
	each(b, len(questions), func(i int) { ask(b, v, &questions[i]) })
}

func ask(b *testing.B, v engine.View, q *dataset.Question) {
	a, err := engine.Check(context.Background(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
	if err != nil || a.Outcome == engine.Conditional || (a.Outcome == engine.Allowed) != q.Allowed {
		b.Fatalf("%v %s %v: %v, %v; want allowed: %v", q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
	}
}

// each measures the mean over n questions in turn, and then asks each once more
// with a clock of its own for the percentiles, which the clock makes about 50 ns
// longer.
func each(b *testing.B, n int, ask func(i int)) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ask(i)
		if i++; i == n {
			i = 0
		}
	}
	took := make([]time.Duration, min(max(b.N, 10), max(n, 1000)))
	for j := range took {
		begin := time.Now()
		ask((i + j) % n)
		took[j] = time.Since(begin)
	}
	slices.Sort(took)
	at := func(share float64) float64 { return float64(took[int(share*float64(len(took)-1))]) }
	b.ReportMetric(at(0.5), "p50-ns")
	b.ReportMetric(at(0.99), "p99-ns")
	b.ReportMetric(at(0.999), "p99.9-ns")
}
