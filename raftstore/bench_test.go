package raftstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// BenchmarkWrite measures durable single-tuple writes on one node: with one
// client it is the latency, with many the throughput.
func BenchmarkWrite(b *testing.B) {
	for _, clients := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			n := benchNode(b)
			first := n.Status().LogLast
			var number atomic.Int64
			b.SetParallelism(clients / 2) // of two processors
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := number.Add(1)
					if _, err := n.Write(context.Background(), "s", change(command.Create, viewer(fmt.Sprint(i%1000), fmt.Sprint(i)))); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(b.N)/float64(n.Status().LogLast-first), "writes/entry")
		})
	}
}

// BenchmarkImport measures chunks of 1,000 tuples from one client.
func BenchmarkImport(b *testing.B) {
	n := benchNode(b)
	chunk := make([]tuple.Tuple, raftstore.MaxImport)
	number := 0
	for b.Loop() {
		for i := range chunk {
			chunk[i] = viewer(fmt.Sprint(number%100_000), fmt.Sprint(number))
			number++
		}
		if _, err := n.Import(context.Background(), "s", chunk); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(number)/b.Elapsed().Seconds(), "tuples/s")
}

// BenchmarkFullyConsistentView measures opening a view that asks the cluster first.
func BenchmarkFullyConsistentView(b *testing.B) {
	n := benchNode(b)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			view, err := n.View(context.Background(), "s", raftstore.FullyConsistent())
			if err != nil {
				b.Error(err)
				return
			}
			view.Close()
		}
	})
}

func benchNode(b *testing.B) *raftstore.Node {
	n, err := raftstore.Open(b.Context(), raftstore.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { n.Close() })
	if _, err := n.PutStore(b.Context(), "s"); err != nil {
		b.Fatal(err)
	}
	if _, err := n.PutSchema(b.Context(), "s", documents()); err != nil {
		b.Fatal(err)
	}
	return n
}
