package inprocess_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/engine"
)

// BenchmarkStart opens a drive that lies on disk, up to the first answer: Badger's
// files, every tuple recounted against the digest, and the graph index. peak-MB
// is the most memory of its own that the process has resident meanwhile, seen every
// few milliseconds, and serving-MB what it has once it answers; neither counts what
// Badger maps of its files.
//
//	PEMBA_BENCH_DIR=/tmp/drive PEMBA_BENCH_SIZES=10M go test ./bench/... -run '^$' -bench Start -benchtime 1x
//
// PEMBA_BENCH_DIR names a folder that keeps the datasets; run twice, the first
// time fills it and measures little.
func BenchmarkStart(b *testing.B) {
	dir := os.Getenv("PEMBA_BENCH_DIR")
	if dir == "" {
		b.Skip("PEMBA_BENCH_DIR does not say where the drives are kept")
	}
	eachSize(b, func(b *testing.B, size int) {
		d := dataset.NewDrive(size, 1)
		for b.Loop() {
			peak := watchResident(b)
			s, err := inprocess.Open(dir, d)
			if err != nil {
				b.Fatal(err)
			}
			if !s.Found {
				s.Close()
				b.Skip("the drive was not there and had to be filled: run it again")
			}
			v, done, err := s.View()
			if err != nil {
				b.Fatal(err)
			}
			q := engine.Question{Permission: "can_view"}
			q.Object.Type, q.Object.ID, q.Subject.Type, q.Subject.ID = "document", "d1", "user", "u1"
			if _, err := engine.Check(b.Context(), v, q); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			b.ReportMetric(peak(), "peak-MB")
			b.ReportMetric(resident(b), "serving-MB")
			done()
			s.Close()
			b.StartTimer()
		}
	})
}

// watchResident looks at the memory until the function that it returns is called,
// which says what the most was.
func watchResident(b *testing.B) (peak func() float64) {
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		high := resident(b)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-tick.C:
				high = max(high, resident(b))
			case <-stop:
				most <- high
				return
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-most
	}
}

// resident returns the process's own resident memory in MB, on Linux.
func resident(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // another system
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")))
			if err != nil {
				b.Error(err)
			}
			return float64(kb) / 1000
		}
	}
	return 0
}
