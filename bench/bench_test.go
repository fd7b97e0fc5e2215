package bench_test

import (
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/server/api"
)

// A run answers every question as the dataset implies, and tells when it does not.
func TestRun(t *testing.T) {
	store := pembatest.Start(t)
	config := bench.Config{Client: store.Client, Users: 50, Groups: 30, Documents: 40, Workers: 4, Duration: 300 * time.Millisecond, Writes: 0.2}
	tuples, err := bench.Load(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if want := 29 + 50 + 2*40; tuples != want {
		t.Errorf("loaded %d tuples, want %d", tuples, want)
	}
	result, err := bench.Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]bench.Summary{"checks": result.Checks, "writes": result.Writes} {
		if s.Count == 0 || s.Failed > 0 || s.Wrong > 0 {
			t.Errorf("%s: %+v, want some, none failed and none wrong", name, s)
		}
		if s.P50 > s.P90 || s.P90 > s.P99 || s.P99 > s.Max || s.P50 <= 0 {
			t.Errorf("%s: the latencies are in no order: %+v", name, s)
		}
	}

	// Everybody is taken from the groups: whoever may still view is a wrong answer.
	if _, err := config.Client.Store("bench").DeleteTuples(t.Context(), api.DeleteRequest{Filter: api.Filter{ObjectType: "group"}}); err != nil {
		t.Fatal(err)
	}
	config.Writes = 0
	if result, err = bench.Run(t.Context(), config); err != nil || result.Checks.Wrong == 0 {
		t.Errorf("%+v, %v: want answers told to be wrong", result.Checks, err)
	}
}
