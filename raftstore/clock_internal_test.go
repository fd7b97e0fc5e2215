package raftstore

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestMedianOffset(t *testing.T) {
	for _, c := range []struct {
		offsets []time.Duration
		want    time.Duration
	}{
		{[]time.Duration{0}, 0},
		{[]time.Duration{0, time.Second, -time.Second}, 0},
		{[]time.Duration{0, -5 * time.Hour, -5 * time.Hour}, -5 * time.Hour}, // this one is ahead
		{[]time.Duration{0, 5 * time.Hour, 0}, 0},
		{[]time.Duration{0, -5 * time.Hour}, -5 * time.Hour}, // of two the earlier
		{[]time.Duration{0, 5 * time.Hour}, 0},
	} {
		if got := medianOffset(c.offsets); got != c.want {
			t.Errorf("%v: %s, want %s", c.offsets, got, c.want)
		}
	}
}

// A clock that jumps is followed only by who is alone, and else once the others
// have been asked.
func TestClockThatJumps(t *testing.T) {
	off := time.Duration(0)
	c := newClock(func() time.Time { return time.Now().Add(off) })
	near := func(want time.Duration) {
		t.Helper()
		if got := time.Until(c.now()); (got - want).Abs() > time.Second {
			t.Errorf("the clock is off by %s, want %s", got, want)
		}
	}
	near(0)
	off = time.Hour
	near(time.Hour)
	off = 0
	c.members(raft.Configuration{Servers: make([]raft.Server, 3)})
	c.correct(0)
	near(0)
	off = 5 * time.Hour
	near(0)
	near(0)
	if len(c.changed) != 1 {
		t.Error("nobody asks the others")
	}
	c.correct(-5 * time.Hour)
	near(0)
}
