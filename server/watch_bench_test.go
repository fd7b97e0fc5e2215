package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
)

// BenchmarkWriteBesideWatchers measures durable single-tuple writes of 64 clients
// over HTTP while a thousand streams of the same store are open whose filter
// selects none of them, and one whose reader is stuck.
func BenchmarkWriteBesideWatchers(b *testing.B) {
	for _, watchers := range []int{0, 1000} {
		b.Run(fmt.Sprint("watchers=", watchers), func(b *testing.B) {
			node, err := raftstore.Open(b.Context(), raftstore.Config{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { node.Close() })
			w := onNode(b, node, server.Config{})
			if _, err := w.PutSchema(b.Context(), source(model)); err != nil {
				b.Fatal(err)
			}
			if watchers > 0 {
				stuck, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { stuck.Close() })
				fmt.Fprintf(stuck, "GET /v1/stores/acme/watch HTTP/1.1\r\nHost: x\r\n\r\n")
			}
			var open sync.WaitGroup
			b.Cleanup(open.Wait)
			for range watchers {
				request, err := http.NewRequestWithContext(b.Context(), "GET", w.url+"/v1/stores/acme/watch?object=group:none", nil)
				if err != nil {
					b.Fatal(err)
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					b.Fatal(err)
				}
				open.Go(func() {
					defer response.Body.Close()
					for lines := bufio.NewScanner(response.Body); lines.Scan(); {
					}
				})
			}
			var number atomic.Int64
			b.SetParallelism(32) // of two processors
			before := spent()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := w.Touch(b.Context(), wire(b, fmt.Sprintf("group:g%d#member@user:ana", number.Add(1)))...); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric((spent()-before)*1e6/float64(b.N), "cpu-µs/op") // which a busy machine changes little
		})
	}
}
