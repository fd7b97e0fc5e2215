package inprocess_test

import (
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
)

// BenchmarkLoaded asks a drive right after it was loaded, once the graph index has
// settled (a minute later), and after a restart, which builds the index anew. It
// tells what the index takes by the tuple, and how many versions it holds.
//
//	PEMBA_BENCH_SIZES=M go test ./bench/inprocess -run '^$' -bench Loaded -benchtime 500000x
func BenchmarkLoaded(b *testing.B) {
	eachSize(b, func(b *testing.B, d *dataset.Drive) {
		dir := b.TempDir()
		questions := d.Questions(1, min(d.Size(), 200_000))
		open := func() *inprocess.Store {
			store, err := inprocess.Open(dir, d)
			if err != nil {
				b.Fatal(err)
			}
			return store
		}
		measure := func(name string, store *inprocess.Store) {
			b.Run(name, func(b *testing.B) {
				view, done, err := store.View()
				if err != nil {
					b.Fatal(err)
				}
				defer done()
				checks(b, view, questions)
				g := store.Graph()
				b.ReportMetric(float64(g.Bytes)/float64(g.Tuples), "B/tuple")
				b.ReportMetric(float64(g.Held), "versions")
			})
		}
		store := open()
		b.Logf("loading took %v", store.Took)
		measure("loaded", store)
		for end := time.Now().Add(2 * time.Minute); store.Graph().Retired > 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
		}
		measure("settled", store)
		store.Close()
		store = open()
		measure("restarted", store)
		store.Close()
	})
}
