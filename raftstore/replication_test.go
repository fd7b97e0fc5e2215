package raftstore_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A follower that refuses entries now and then, as one does whose log cannot be
// written, gets them later. Raft's pipeline could wait for ever for an answer that
// nobody would hand it, while heartbeats kept the follower from noticing.
func TestRefusedEntriesComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 1, nil)
		var clients sync.WaitGroup
		for id := range 3 {
			clients.Go(func() { s.client(id, rand.New(rand.NewPCG(1, uint64(id)))) })
		}
		for round := range 4 {
			leader := s.leader()
			follower := (leader + 1 + round%2) % simNodes
			s.links[follower].refuse.Store(true)
			time.Sleep(2 * time.Second)
			s.links[follower].refuse.Store(false)
			time.Sleep(time.Second)
			want := s.node(leader).Status().Applied
			time.Sleep(time.Second)
			if got := s.node(follower).Status().Applied; got < want {
				t.Fatalf("round %d: a second later the follower is at %d, the leader was at %d", round, got, want)
			}
		}
		close(s.stop)
		clients.Wait()
		if refused := s.links[0].refused.Load() + s.links[1].refused.Load() + s.links[2].refused.Load(); refused == 0 {
			t.Errorf("%d messages were refused: this tries nothing", refused)
		}
	})
}
