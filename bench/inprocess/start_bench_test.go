package inprocess_test

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/engine"
)

// BenchmarkStart opens a drive that was written before and asks the first
// question: a node's start without Raft, whose log adds a tail of entries. It
// tells what memory the open state holds, and at the peak of opening, by the
// tuple: ids, Badger's own and garbage included, mapped files not.
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
		held, peak := 0, 0
		for b.Loop() {
			b.StopTimer()
			before := settled()
			highest := watch()
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
			peak = max(peak, highest()-before)
			held = settled() - before
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
			store, view = nil, engine.View{} // so that the next round starts with nothing
			b.StartTimer()
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/start")
		b.ReportMetric(float64(tuples)*float64(b.N)/b.Elapsed().Seconds(), "tuples/s")
		b.ReportMetric(float64(held)/float64(tuples), "held-B/tuple")
		b.ReportMetric(float64(peak)/float64(tuples), "peak-B/tuple")
	})
}

// anonymous is the memory of this process that belongs to no file, as the system
// counts it: the heap and what is taken beside it. 0 where it is not told.
func anonymous() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kilobytes, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kilobytes << 10
		}
	}
	return 0
}

// settled is the same once garbage is given back, with what the garbage itself
// gives back when it is found.
func settled() int {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(20 * time.Millisecond)
	}
	return anonymous()
}

// watch looks every two milliseconds, garbage included, and returns how to end it
// and learn the most.
func watch() func() int {
	stop, most := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		peak := 0
		for {
			peak = max(peak, anonymous())
			select {
			case <-tick.C:
			case <-stop:
				most <- peak
				return
			}
		}
	}()
	return func() int { close(stop); return <-most }
}
