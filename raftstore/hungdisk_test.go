package raftstore_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
)

// TestHungDiskOfTheLeaderStopsWritesForAWhile is hashicorp/raft #503 in a whole
// cluster: a write to the leader's log never ends, while its heartbeats go on.
// Writes through the others go on once the watchdog has cut it off.
func TestHungDiskOfTheLeaderStopsWritesForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 1, func(c *raftstore.Config) { c.StallTimeout = 0 }) // the default, 10 s
		leader := s.leader()
		began := time.Now()
		s.hang[leader].Store(true)
		other := s.node((leader + 1) % simNodes)
		if err := writesSoon(s, other, "ana", time.Minute); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if took > 13*time.Second {
			t.Errorf("from the hanging of the disk to the next write it took %v", took)
		}
		if now := s.leader(); now == leader {
			t.Error("the node whose disk hangs leads still")
		}
		if status := s.node(leader).Status(); status.Ready {
			t.Error("the node whose disk hangs is ready")
		}
		t.Logf("%v from the hanging of the leader's disk to the next acknowledged write", took)
		s.hang[leader].Store(false)
		want := keys(t, other, "s", raftstore.FullyConsistent())
		if got := keys(t, s.node(leader), "s", raftstore.FullyConsistent()); len(got) != len(want) {
			t.Errorf("with its disk back the node holds %d tuples, the others %d", len(got), len(want))
		}
	})
}
