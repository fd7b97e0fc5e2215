package load_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/load"
)

// What the collector did is told of a run in this process, beside the latency that
// it is a part of, and of no other.
func TestCollections(t *testing.T) {
	op := operation(func(context.Context) error { runtime.GC(); return nil })
	plan := load.Plan{Clients: 1, Duration: 20 * time.Millisecond}
	other, err := load.Run(t.Context(), op, plan)
	if err != nil || other.Collections != nil || other.Collections.String() != "" {
		t.Errorf("of another process: %v, %v", other.Collections, err)
	}
	op.Local = true
	var runs []load.Sample
	for range 3 {
		s, err := load.Run(t.Context(), op, plan)
		if err != nil {
			t.Fatal(err)
		}
		if c := s.Collections; c.Cycles < s.Requests || c.PauseMax < c.PauseP99 || c.PauseP99 <= 0 || c.PauseMax > s.Max*3/2 || c.CPUShare <= 0 || c.CPUShare > 1 {
			t.Errorf("%+v of a run with %d collections, the longest %v", c, s.Requests, s.Max)
		}
		runs = append(runs, s)
	}
	m := load.Median(runs)
	sum, longest := 0, load.Latency(0)
	for _, r := range runs {
		sum, longest = sum+r.Collections.Cycles, max(longest, r.Collections.PauseMax)
	}
	if c := m.Collections; c.Cycles != sum || c.PauseMax != longest || c.CPUShare <= 0 {
		t.Errorf("%+v of three runs, want %d cycles and at most %v", c, sum, longest)
	}
	if got := (&load.Collections{}).String(); got != "none" {
		t.Errorf("without a collection: %q", got)
	}
}
