package inprocess_test

import (
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
func BenchmarkDrive(b *testing.B) {
	names := os.Getenv("PEMBA_BENCH_SIZES")
	if names == "" {
		names = "S,M"
	}
	for _, name := range strings.Split(names, ",") {
		size, ok := sizes[name]
		if !ok {
			b.Fatalf("PEMBA_BENCH_SIZES names %q, which is no size", name)
		}
		b.Run(name, func(b *testing.B) { benchDrive(b, dataset.NewDrive(size, 1)) })
	}
}

func benchDrive(b *testing.B, d *dataset.Drive) {
	dir := os.Getenv("PEMBA_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	store, err := inprocess.Open(dir, d)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	questions := d.Questions(1, min(d.Size(), 200_000))
	view, done, err := store.View()
	if err != nil {
		b.Fatal(err)
	}
	defer done()

	ask := func(v engine.View, q *dataset.Question) {
		a, err := engine.Check(b.Context(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
		if err != nil || a.Outcome == engine.Conditional || (a.Outcome == engine.Allowed) != q.Allowed {
			b.Fatalf("%v %s %v: %v, %v; want allowed: %v", q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
		}
	}
	b.Run("check", func(b *testing.B) {
		each(b, questions, func(q *dataset.Question) { ask(view, q) })
	})
	b.Run("request", func(b *testing.B) {
		each(b, questions, func(q *dataset.Question) {
			v, done, err := store.View()
			if err != nil {
				b.Fatal(err)
			}
			ask(v, q)
			done()
		})
	})
	b.Run("walk", func(b *testing.B) {
		w := d.Walk()
		each(b, questions, func(q *dataset.Question) {
			if w.MayView(q.Object.ID, q.Subject.ID) != q.Allowed {
				b.Fatalf("%v %v: not %v", q.Subject, q.Object, q.Allowed)
			}
		})
	})
}

// each measures the mean over the questions in turn, and then asks each once more
// with a clock of its own for the percentiles, which the clock makes about 50 ns
// longer.
func each(b *testing.B, questions []dataset.Question, ask func(*dataset.Question)) {
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ask(&questions[i])
		if i++; i == len(questions) {
			i = 0
		}
	}
	took := make([]time.Duration, min(len(questions), max(b.N, 1000)))
	for j := range took {
		begin := time.Now()
		ask(&questions[(i+j)%len(questions)])
		took[j] = time.Since(begin)
	}
	slices.Sort(took)
	at := func(share float64) float64 { return float64(took[int(share*float64(len(took)-1))]) }
	b.ReportMetric(at(0.5), "p50-ns")
	b.ReportMetric(at(0.99), "p99-ns")
	b.ReportMetric(at(0.999), "p99.9-ns")
}
