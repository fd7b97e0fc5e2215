package server

import (
	"context"
	"sync/atomic"
	"testing"
)

// A batch that took others' seats was not short, even where its own goroutine
// needed none: long requests would rest for it.
func TestSpreadBatchIsNotShort(t *testing.T) {
	for n, want := range map[int]int64{portion: 1, 5 * portion: 0} {
		s := &Server{lane: newLane(2, 10)}
		snap := &snapshot{pace: s.lane.pace(t.Context())}
		var done atomic.Int64
		err := s.spread(snap, n, func(_ context.Context, from, to int) error {
			done.Add(int64(to - from))
			return nil
		})
		snap.pace.end()
		if err != nil || int(done.Load()) != n {
			t.Errorf("did %d of %d: %v", done.Load(), n, err)
		}
		if got := s.lane.short.Load(); got != want || len(s.lane.seats) != 0 {
			t.Errorf("%d questions: %d short requests, want %d; %d seats are taken", n, got, want, len(s.lane.seats))
		}
	}
}
