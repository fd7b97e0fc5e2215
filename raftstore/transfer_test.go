package raftstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// writesSoon demands that a node gets a write done within some virtual time.
func writesSoon(s *simulation, n *raftstore.Node, user string, limit time.Duration) error {
	began := time.Now()
	for {
		_, err := n.Write(s.t.Context(), "s", change(command.Touch, viewer("transfer", user)))
		if err == nil {
			return nil
		}
		if time.Since(began) > limit {
			return fmt.Errorf("after %v: %w", time.Since(began), err)
		}
	}
}

func TestTransferMovesLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 1, nil)
		for round := range 5 {
			leader := s.leader()
			began := time.Now()
			if err := s.node(leader).TransferLeadership(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := writesSoon(s, s.node(leader), fmt.Sprint(round), time.Second); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("from the transfer to the next write it took %v", took)
			}
			eventually(t, func() error {
				if now := s.leader(); now < 0 || now == leader {
					return errors.New("nobody else leads")
				}
				return nil
			})
		}
	})
}

// TestSwallowedTransferCostsAPause is hashicorp/raft #696 in its plainest form: a
// member that is told to lead never answers. That costs a pause, and no more; with
// Raft's own transfer the leader refuses every write for as long as it waits.
func TestSwallowedTransferCostsAPause(t *testing.T) {
	swallowed := func(t *testing.T, transfer func(*simulation, *raftstore.Node), limit time.Duration) error {
		var s *simulation
		var failed error
		synctest.Test(t, func(t *testing.T) {
			s = newSimulation(t, 1, func(c *raftstore.Config) { c.MaxWait = time.Second })
			leader := s.leader()
			s.links[leader].swallow.Store(true)
			go transfer(s, s.node(leader))
			time.Sleep(10 * time.Millisecond)
			failed = writesSoon(s, s.node((leader+1)%simNodes), "during", limit)
			if s.leader() != leader {
				t.Error("the leader has changed")
			}
		})
		return failed
	}
	if err := swallowed(t, func(s *simulation, n *raftstore.Node) {
		if err := n.TransferLeadership(s.t.Context()); err == nil {
			s.t.Error("a transfer that nobody heard of has worked")
		}
	}, 3*time.Second); err != nil {
		t.Error(err)
	}
	if err := swallowed(t, func(_ *simulation, n *raftstore.Node) { n.RaftTransfer() }, time.Minute); err == nil {
		t.Error("Raft's own transfer no longer holds up writes: it may be used again")
	}
}

// A leader whose transfer is under way loses its followers, and leads again later.
func TestBrokenTransferLeavesNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 1, nil)
		leader := s.leader()
		n := s.node(leader)
		s.links[leader].deaf.Store(true) // the followers lag
		if err := n.Append(5); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		go n.TransferLeadership(t.Context())
		time.Sleep(20 * time.Millisecond)
		for i, host := range s.hosts { // now it loses them
			if i != leader {
				s.net.setCut(s.hosts[leader], host, true)
				s.net.setCut(host, s.hosts[leader], true)
			}
		}
		eventually(t, func() error {
			if n.Status().Role == "leader" {
				return errors.New("it leads still")
			}
			return nil
		})
		s.links[leader].deaf.Store(false)
		s.net.mend()
		for s.leader() != leader { // until it leads again
			if now := s.leader(); now >= 0 {
				s.node(now).TransferLeadership(t.Context())
			}
			time.Sleep(300 * time.Millisecond)
		}
		if err := writesSoon(s, n, "after", 10*time.Second); err != nil {
			t.Errorf("leading again, the node refuses writes: %v", err)
		}
	})
}

// TestTransferUnderLoadCostsLittle: what was on its way into the log when a successor
// was chosen, on a slow disk, must not leave the old leader with a longer log than the
// successor's, for then it denies it its vote, and everybody waits for an election timeout.
func TestTransferUnderLoadCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 1, nil)
		s.slow.Store(int64(20 * time.Millisecond))
		var clients sync.WaitGroup
		for id := range 6 {
			clients.Go(func() {
				for serial := 0; ; serial++ {
					select {
					case <-s.stop:
						return
					default:
					}
					s.node(id%simNodes).Write(t.Context(), "s", change(command.Touch, viewer(fmt.Sprint("load", id), fmt.Sprint(serial)))) // whatever comes of it
				}
			})
		}
		away := (s.leader() + 1) % simNodes // so that the old leader's vote is needed
		s.cutOff(away, true)
		for round := range 10 {
			time.Sleep(time.Duration(211+37*round) * time.Millisecond)
			leader := s.leader()
			began := time.Now()
			if err := s.node(leader).TransferLeadership(t.Context()); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			if err := writesSoon(s, s.node(leader), fmt.Sprint(round), 2*time.Second); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 350*time.Millisecond {
				t.Errorf("round %d: from the transfer to the next write it took %v", round, took)
			}
		}
		s.cutOff(away, false)
		close(s.stop)
		clients.Wait()
	})
}
