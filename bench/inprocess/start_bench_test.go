package inprocess_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
)

// BenchmarkStart opens a drive that was written before and asks the first
// question: a node's start without Raft, whose log adds a tail of entries. It
// tells what the open state holds in the heap, and at its peak meanwhile, by the
// tuple, ids and Badger's own included.
//
//	PEMBA_BENCH_SIZES=10M PEMBA_BENCH_DIR=/tmp/bench go test ./bench/inprocess -run '^$' -bench Start -benchtime 3x -timeout 1h
func BenchmarkStart(b *testing.B) {
	eachSize(b, func(b *testing.B, d *dataset.Drive) {
		dir := os.Getenv("PEMBA_BENCH_DIR")
		if dir == "" {
			dir = b.TempDir()
		}
		store, err := inprocess.Open(dir, d)
		if err != nil {
			b.Fatal(err)
		}
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
		tuples := 0
		var first dataset.Question // the first tuple's: a group is in its parent
		for t := range d.Tuples() {
			if tuples++; tuples == 1 {
				first = dataset.Question{Object: t.Object, Permission: t.Relation, Subject: t.Subject, Allowed: true}
			}
		}
		var held, peak uint64
		for b.Loop() {
			b.StopTimer()
			before := settledHeap()
			watch := watchHeap()
			b.StartTimer()
			store, err := inprocess.Open(dir, d)
			if err != nil {
				b.Fatal(err)
			}
			view, done, err := store.View()
			if err != nil {
				b.Fatal(err)
			}
			ask(b, view, &first)
			b.StopTimer()
			done()
			peak = max(peak, watch()-before)
			held = settledHeap() - before
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
		b.ReportMetric(float64(tuples)*float64(b.N)/b.Elapsed().Seconds(), "tuples/s")
		b.ReportMetric(float64(held)/float64(tuples), "held-B/tuple")
		b.ReportMetric(float64(peak)/float64(tuples), "peak-B/tuple")
	})
}

// settledHeap is the heap in use once garbage is gone.
func settledHeap() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// watchHeap looks at the heap every millisecond, garbage included, and returns how
// to end it and learn the most.
func watchHeap() func() uint64 {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		peak := uint64(0)
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()+sample[1].Value.Uint64())
			select {
			case <-tick.C:
			case <-stop:
				most <- peak
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-most }
}
