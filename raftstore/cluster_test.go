package raftstore_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

func TestThreeNodesAgree(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[c.follower()], "s")
	var work sync.WaitGroup
	for w, n := range c.nodes {
		work.Go(func() {
			for i := range 50 {
				write(t, n, "s", change(command.Create, viewer(fmt.Sprint(w), fmt.Sprint(i))))
			}
		})
	}
	work.Wait()
	want := keys(t, c.nodes[0], "s", raftstore.FullyConsistent())
	if len(want) != 150 {
		t.Errorf("%d tuples, want 150", len(want))
	}
	for i, n := range c.nodes[1:] {
		if got := keys(t, n, "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
			t.Errorf("node %d has %d tuples, node 0 has %d", i+1, len(got), len(want))
		}
	}
	clusterID := c.nodes[0].Status().ClusterID
	for i, n := range c.nodes {
		s := n.Status()
		if s.ClusterID != clusterID || s.Leader.ID == "" || len(s.Members) != 3 {
			t.Errorf("node %d: %+v", i, s)
		}
		for _, m := range s.Members {
			if m.HTTPAddress == "" {
				t.Errorf("node %d does not know where member %s serves", i, m.ID)
			}
		}
	}
}

func TestTokensReadYourWritesOnEveryNode(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	for i := range 60 {
		tup := viewer("d", fmt.Sprint(i))
		written := write(t, c.nodes[i%3], "s", change(command.Create, tup))
		reader := c.nodes[(i+1)%3]
		revision, err := reader.ParseToken(written.Token)
		if err != nil {
			t.Fatal(err)
		}
		if !has(t, reader, "s", raftstore.AtLeastAsFresh(revision), tup) {
			t.Fatalf("write %d is missing on another node under its token", i)
		}
		if i%2 == 0 && !has(t, c.nodes[(i+2)%3], "s", raftstore.FullyConsistent(), tup) {
			t.Fatalf("write %d is missing in a fully consistent read", i)
		}
	}
}

// A plain read at the node that took a write sees it, whoever leads.
func TestNodesReadTheirOwnWrites(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	for i := range 60 {
		n, tup := c.nodes[i%3], viewer("own", fmt.Sprint(i))
		write(t, n, "s", change(command.Create, tup))
		if !has(t, n, "s", raftstore.MinimizeLatency(), tup) {
			t.Fatalf("write %d is missing in a plain read of the node that took it", i)
		}
	}
}

func TestLeaderStopsAndNothingAcknowledgedIsLost(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	acknowledged := make(chan string, 10_000)
	stop := make(chan struct{})
	var work sync.WaitGroup
	for i, n := range c.nodes {
		work.Go(func() {
			for k := 0; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				tup := viewer(fmt.Sprint("n", i), fmt.Sprint(k))
				_, err := n.Write(t.Context(), "s", change(command.Create, tup))
				switch {
				case err == nil:
					acknowledged <- tup.Key.String()
				case errors.Is(err, raftstore.ErrClosed):
					return
				case errors.Is(err, raftstore.ErrOutcomeUnknown), errors.Is(err, raftstore.ErrNotLeader):
				default:
					t.Errorf("write through node %d: %v", i, err)
				}
			}
		})
	}
	grow := func() {
		t.Helper()
		before := len(acknowledged)
		eventually(t, func() error {
			if len(acknowledged) < before+100 {
				var all []string
				for i, n := range c.nodes {
					if n != nil {
						s := n.Status()
						all = append(all, fmt.Sprintf("node %d: %s of %q in term %d at %d of %d, %s", i, s.Role, s.Leader.ID, s.Term, s.Applied, s.LogLast, s.NotReady))
					}
				}
				return fmt.Errorf("no writes are acknowledged: %q", all)
			}
			return nil
		})
	}
	grow()
	first := c.leader()
	c.stop(first)
	grow()
	close(stop)
	work.Wait()
	c.start(first)
	c.waitMembers(3)
	close(acknowledged)
	var want []string
	for key := range acknowledged {
		want = append(want, key)
	}
	for i, n := range c.nodes {
		got := keys(t, n, "s", raftstore.FullyConsistent())
		for _, key := range want {
			if _, found := slices.BinarySearch(got, key); !found {
				t.Errorf("node %d lost the acknowledged %s", i, key)
			}
		}
	}
}

func TestIdempotencyAcrossLeaders(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	once := change(command.Create, viewer("d", "ana"))
	once.IdempotencyKey = "once"
	first := write(t, c.nodes[c.follower()], "s", once)
	c.stop(c.leader())
	again := write(t, c.nodes[c.follower()], "s", once)
	if !again.Replayed || again.Revision != first.Revision {
		t.Errorf("again: replayed %v at %d; want the answer of revision %d", again.Replayed, again.Revision, first.Revision)
	}
	once.BodyDigest[0]++
	if _, err := c.nodes[c.follower()].Write(withPatience(t), "s", once); !errors.Is(err, &raftstore.Rejection{Code: command.CodeIdempotencyMismatch}) {
		t.Errorf("another body under the same key: %v", err)
	}
}

func TestWithoutMajorityNothingIsAcknowledged(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { config.MaxWait = time.Second })
	putStore(t, c.nodes[0], "s")
	survivor := c.follower()
	for i := range c.nodes {
		if i != survivor {
			c.stop(i)
		}
	}
	n := c.nodes[survivor]
	if _, err := n.Write(withPatience(t), "s", change(command.Create, viewer("d", "u"))); err == nil {
		t.Error("a write was acknowledged by one of three nodes")
	}
	if _, err := n.View(withPatience(t), "s", raftstore.FullyConsistent()); !errors.Is(err, raftstore.ErrNotLeader) {
		t.Errorf("a fully consistent read gives %v", err)
	}
	view, err := n.View(withPatience(t), "s", raftstore.MinimizeLatency())
	if err != nil {
		t.Fatalf("a read of what is here: %v", err)
	}
	view.Close()
}

func TestRemovedMemberIsOut(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	leader := c.leader()
	for _, gone := range []int{c.follower(), leader} { // the leader hands over first
		id := c.nodes[gone].Status().NodeID
		through := c.nodes[(gone+1)%3]
		if through == nil {
			through = c.nodes[(gone+2)%3]
		}
		if err := through.Remove(withPatience(t), id); err != nil {
			t.Fatalf("remove %s: %v", id, err)
		}
		removed := c.nodes[gone]
		eventually(t, func() error { // it answers nothing from what it holds
			view, err := removed.View(withPatience(t), "s", raftstore.MinimizeLatency())
			if err == nil {
				view.Close()
			}
			if !errors.Is(err, raftstore.ErrNotMember) || removed.Ready() {
				return fmt.Errorf("a view gives %v, and it is ready: %v", err, removed.Ready())
			}
			return nil
		})
		if _, err := removed.Write(withPatience(t), "s", change(command.Create, viewer("d", "removed"))); !errors.Is(err, raftstore.ErrNotMember) {
			t.Errorf("a write through a removed node gives %v", err)
		}
		c.stop(gone)
		for _, m := range through.Status().Members {
			if m.ID == id {
				t.Errorf("%s is still a member", id)
			}
		}
	}
	last := c.nodes[c.leader()]
	write(t, last, "s", change(command.Create, viewer("d", "u")))
	if err := last.Remove(withPatience(t), "nobody"); !errors.Is(err, raftstore.ErrUnknownMember) {
		t.Errorf("removing nobody: %v", err)
	}
}

func TestMemberComesBackAtAnotherAddress(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	moved := c.follower()
	c.stop(moved)
	c.configs[moved].ListenAddr = freeAddress(t)
	c.configs[moved].Join = []string{c.configs[(moved+1)%3].ListenAddr, c.configs[(moved+2)%3].ListenAddr}
	n := c.start(moved)
	c.waitMembers(3)
	eventually(t, func() error {
		for _, m := range n.Status().Members {
			if m.Address == c.configs[moved].ListenAddr {
				return nil
			}
		}
		return errors.New("the members do not know the new address")
	})
	write(t, n, "s", change(command.Create, viewer("d", "u")))
}

func TestSingleNodeGrows(t *testing.T) {
	dir := t.TempDir()
	alone := openNode(t, raftstore.Config{Dir: dir})
	putStore(t, alone, "s")
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	c := startCluster(t, 1, func(config *raftstore.Config) { config.Dir = dir })
	c.configs = append(c.configs, raftstore.Config{Dir: t.TempDir(), ListenAddr: freeAddress(t), Join: []string{c.configs[0].ListenAddr}})
	c.nodes = append(c.nodes, nil)
	c.start(1)
	c.waitMembers(2)
	write(t, c.nodes[1], "s", change(command.Create, viewer("d", "u")))
}

func TestHungDiskCostsTheLeadership(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	leader := c.leader()
	n := c.nodes[leader]
	n.Stall(true)
	if s := n.Status(); s.Ready {
		t.Error("a node whose disk hangs is ready")
	}
	eventually(t, func() error {
		for i, other := range c.nodes {
			if i != leader && other.Status().Role == "leader" {
				return nil
			}
		}
		return errors.New("the others elect no leader")
	})
	fill(t, c.nodes[(leader+1)%3], "s", "d", 5)
	n.Stall(false)
	if got := len(keys(t, n, "s", raftstore.FullyConsistent())); got != 5 {
		t.Errorf("back again the node has %d tuples, want 5", got)
	}
	if !n.Ready() {
		t.Error("back again the node is not ready")
	}
}

func TestOlderBuildMayNotJoin(t *testing.T) {
	c := startCluster(t, 1, nil)
	member := c.configs[0].ListenAddr
	err := c.nodes[0].AskJoin(withPatience(t), member, "newcomer", freeAddress(t), 0)
	if !errors.Is(err, raftstore.ErrFeatureLevel) {
		t.Errorf("a node that knows too few commands gets %v", err)
	}
	if members := c.nodes[0].Status().Members; len(members) != 1 {
		t.Errorf("the cluster has members %v", members)
	}
}

// A node that is removed while it reaches nobody is never sent the entry that says
// so. It asks, once it reaches the others again, and answers nothing from then on.
func TestRemovedWhileAwayIsOut(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	gone := c.follower()
	removed := c.nodes[gone]
	id := removed.Status().NodeID
	removed.Isolate(true)
	if err := c.nodes[c.leader()].Remove(withPatience(t), id); err != nil {
		t.Fatal(err)
	}
	removed.Isolate(false)
	eventually(t, func() error {
		view, err := removed.View(withPatience(t), "s", raftstore.MinimizeLatency())
		if err == nil {
			view.Close()
		}
		if !errors.Is(err, raftstore.ErrNotMember) || removed.Ready() {
			return fmt.Errorf("a view gives %v, and it is ready: %v", err, removed.Ready())
		}
		return nil
	})
}
