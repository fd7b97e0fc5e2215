package raftstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// offsets are clocks of machines that tests set wrong.
type offsets []*atomic.Int64

func (o offsets) adjust(config *raftstore.Config) {
	for _, offset := range o {
		if offset.CompareAndSwap(unset, 0) {
			config.Clock = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
			return
		}
	}
}

const unset = 1 << 62

func newOffsets(count int) offsets {
	o := make(offsets, count)
	for i := range o {
		o[i] = new(atomic.Int64)
		o[i].Store(unset)
	}
	return o
}

// One wrong clock, of a leader or not, jumping while it leads or before, does not
// move the log's time by more than tolerances: else expiry would come for good.
func TestOneWrongClockMovesNothing(t *testing.T) {
	clocks := newOffsets(3)
	c := startCluster(t, 3, clocks.adjust)
	putStore(t, c.nodes[0], "s")
	rnd := rand.New(rand.NewPCG(5, 5))
	wrong := 0
	for round := range 6 {
		clocks[wrong].Store(0)
		wrong = rnd.IntN(3)
		if round%2 == 0 {
			wrong = c.leader()
		}
		jump := time.Duration(rnd.Int64N(int64(20*time.Hour))) - 10*time.Hour
		clocks[wrong].Store(int64(jump))
		if round%3 == 2 { // another one comes to lead, or this one anew
			leader := c.leader()
			c.stop(leader)
			c.start(leader)
			c.waitMembers(3)
		}
		for i := range 3 {
			written := write(t, c.nodes[i], "s", change(command.Touch, viewer(fmt.Sprint("d", round), fmt.Sprint("u", i))))
			if off := time.Until(written.Time); off.Abs() > 10*time.Second {
				t.Fatalf("round %d: the clock of node %d is off by %s (node %d leads), and the log's time by %s", round, wrong, jump, c.leader(), off)
			}
		}
	}
}
