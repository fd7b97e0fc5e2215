package raftlog_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/raftlog"
)

func benchLog(b *testing.B) *raftlog.Log {
	b.Helper()
	l, err := raftlog.Open(raftlog.Options{Path: b.TempDir() + "/log.db"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

func entries(first uint64, count, size int) []*raft.Log {
	list := make([]*raft.Log, count)
	for i := range list {
		list[i] = &raft.Log{Index: first + uint64(i), Term: 1, Data: make([]byte, size), AppendedAt: time.Now()}
	}
	return list
}

// BenchmarkStoreLogs appends, fsync included.
func BenchmarkStoreLogs(b *testing.B) {
	for _, batch := range []int{1, 64, 256} {
		for _, size := range []int{200, 20_000} {
			b.Run(fmt.Sprintf("entries=%d/bytes=%d", batch, size), func(b *testing.B) {
				l, next := benchLog(b), uint64(1)
				for b.Loop() {
					if err := l.StoreLogs(entries(next, batch, size)); err != nil {
						b.Fatal(err)
					}
					next += uint64(batch)
				}
			})
		}
	}
}

// BenchmarkCompaction appends one by one while a million entries are deleted, and
// reports the longest wait of an append.
func BenchmarkCompaction(b *testing.B) {
	l := benchLog(b)
	const count = 1_000_000
	for first := 1; first <= count; first += 10_000 {
		if err := l.StoreLogs(entries(uint64(first), 10_000, 100)); err != nil {
			b.Fatal(err)
		}
	}
	l.SetSnapshot(count, 1)
	for b.Loop() {
		var deleting sync.WaitGroup
		done := make(chan struct{})
		deleting.Go(func() {
			defer close(done)
			if err := l.DeleteRange(1, count); err != nil {
				b.Error(err)
			}
		})
		var waits []time.Duration
		for next := uint64(count + 1); ; next++ {
			began := time.Now()
			if err := l.StoreLogs(entries(next, 1, 100)); err != nil {
				b.Fatal(err)
			}
			waits = append(waits, time.Since(began))
			select {
			case <-done:
			default:
				continue
			}
			break
		}
		deleting.Wait()
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)-1].Milliseconds()), "ms-longest")
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "µs-p99")
		b.ReportMetric(float64(len(waits)), "appends")
	}
}
