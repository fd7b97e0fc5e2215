package raftstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// member returns what a node knows of a member, or fails.
func (c *cluster) member(through int, id string) raftstore.Member {
	c.t.Helper()
	for _, m := range c.nodes[through].Status().Members {
		if m.ID == id {
			return m
		}
	}
	c.t.Fatalf("node %d knows no member %s", through, id)
	return raftstore.Member{}
}

// grow starts one more node that joins.
func (c *cluster) grow(adjust func(*raftstore.Config)) *raftstore.Node {
	c.t.Helper()
	config := raftstore.Config{Dir: c.t.TempDir(), ListenAddr: freeAddress(c.t), Join: []string{c.configs[0].ListenAddr}, NoSync: true, HeartbeatTimeout: 200 * time.Millisecond, Insecure: true}
	if adjust != nil {
		adjust(&config)
	}
	c.configs, c.nodes = append(c.configs, config), append(c.nodes, nil)
	n := c.start(len(c.nodes) - 1)
	if err := n.WaitReady(withPatience(c.t)); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// A replica answers every kind of read and takes writes, counts for no majority,
// and is what it was told to be last, also after a restart with its old flags.
func TestReplicas(t *testing.T) {
	c := startCluster(t, 2, nil)
	putStore(t, c.nodes[0], "s")
	fill(t, c.nodes[0], "s", "d", 5)
	replica := c.grow(func(config *raftstore.Config) { config.Replica = true })
	id := replica.Status().NodeID
	is := func(replica, voter bool) {
		t.Helper()
		eventually(t, func() error {
			if m := c.member(2, id); m.Replica != replica || m.Voter != voter {
				return fmt.Errorf("it is %+v", m)
			}
			return nil
		})
	}
	is(true, false)
	written := write(t, replica, "s", change(command.Create, viewer("d", "by-the-replica")))
	revision, err := replica.ParseToken(written.Token)
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []raftstore.Consistency{raftstore.MinimizeLatency(), raftstore.FullyConsistent(), raftstore.AtLeastAsFresh(revision), raftstore.AtExactSnapshot(revision)} {
		if got := len(keys(t, replica, "s", how)); got != 6 {
			t.Errorf("%+v: %d tuples, want 6", how, got)
		}
	}
	if err := c.nodes[1].Promote(withPatience(t), id); err != nil {
		t.Fatal(err)
	}
	is(false, true)
	c.stop(2)
	replica = c.start(2) // still with Replica
	if err := replica.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	is(false, true)
	eventually(t, func() error { return c.nodes[0].Demote(withPatience(t), id) })
	is(true, false)
	c.stop(2)
	c.configs[2].Replica = false
	replica = c.start(2)
	if err := replica.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	is(true, false)
	if err := replica.Promote(withPatience(t), "nobody"); !errors.Is(err, raftstore.ErrUnknownMember) {
		t.Errorf("promoting nobody: %v", err)
	}
	if err := replica.Leave(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.View(withPatience(t), "s", raftstore.FullyConsistent()); err == nil {
		t.Error("a node that left answers")
	}
}

// Nobody takes a vote away where those that are left would elect nobody.
func TestNoVoteIsTakenThatIsNeeded(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { config.MaxWait = 20 * time.Second })
	putStore(t, c.nodes[0], "s")
	dead := c.follower()
	deadID := c.nodes[dead].Status().NodeID
	c.stop(dead)
	leader := c.leader()
	live := 3 - dead - leader
	liveID := c.nodes[live].Status().NodeID
	if err := c.nodes[live].Remove(withPatience(t), liveID); !errors.Is(err, raftstore.ErrQuorumAtRisk) {
		t.Errorf("removing a living member beside a dead one: %v", err)
	}
	if err := c.nodes[leader].Demote(withPatience(t), liveID); !errors.Is(err, raftstore.ErrQuorumAtRisk) {
		t.Errorf("demoting it: %v", err)
	}
	if err := c.nodes[leader].Remove(withPatience(t), deadID); err != nil {
		t.Fatalf("removing the dead one: %v", err)
	}
	if err := c.nodes[leader].Remove(withPatience(t), liveID); err != nil {
		t.Fatalf("removing the living one then: %v", err)
	}
	last := c.nodes[leader]
	if err := last.Leave(withPatience(t)); !errors.Is(err, raftstore.ErrLastMember) {
		t.Errorf("the last one leaves: %v", err)
	}
	if err := last.Demote(withPatience(t), last.Status().NodeID); !errors.Is(err, raftstore.ErrLastMember) {
		t.Errorf("demoting the last one: %v", err)
	}
	if err := last.Transfer(withPatience(t)); !errors.Is(err, raftstore.ErrTransfer) {
		t.Errorf("handing over to nobody: %v", err)
	}
	write(t, last, "s", change(command.Create, viewer("d", "u")))
}

func TestLeadershipIsHandedOver(t *testing.T) {
	c := startCluster(t, 3, nil)
	before := c.leader()
	if err := c.nodes[(before+1)%3].Transfer(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if now := c.leader(); now == before {
			return errors.New("the same node leads")
		}
		return nil
	})
}

// A member that does not answer for long is removed once another has come in its
// place. TestDeadMember has the cases in which none is.
func TestDeadMembersAreRemoved(t *testing.T) {
	attentive := func(config *raftstore.Config) { config.RemoveDeadAfter = 5 * time.Second } // a busy machine may keep a living one silent for a while
	c := startCluster(t, 3, attentive)
	putStore(t, c.nodes[0], "s")
	dead := 1
	id := c.nodes[dead].Status().NodeID
	c.stop(dead)
	c.grow(attentive)
	eventually(t, func() error {
		voters := 0
		for _, m := range c.nodes[0].Status().Members {
			if m.ID == id {
				return errors.New("the dead member is still one")
			}
			if m.Voter {
				voters++
			}
		}
		if voters != 3 {
			return fmt.Errorf("%d voters are left", voters)
		}
		return nil
	})
	write(t, c.nodes[0], "s", change(command.Create, viewer("d", "u")))
}

// An upgrade goes member by member: what a newer build brings is used when all
// have it and somebody says so, and a member tells of its new build by itself.
func TestFeatureLevelIsRaisedWhenAllHaveIt(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { *config = config.OfFeature1() })
	putStore(t, c.nodes[0], "s")
	if _, _, err := c.nodes[0].NewJoinToken(withPatience(t), time.Hour, false); !errors.Is(err, raftstore.ErrFeatureLevel) {
		t.Errorf("a join token in an old cluster: %v", err)
	}
	old := c.follower()
	id := c.nodes[old].Status().NodeID
	if err := c.nodes[0].RecordFeature(withPatience(t), id, 1); err != nil { // as if it ran an older build
		t.Fatal(err)
	}
	leader := c.nodes[c.leader()]
	if _, err := leader.RaiseFeature(withPatience(t), 0); !errors.Is(err, &raftstore.Rejection{Code: command.CodeFeatureLevel}) {
		t.Errorf("raising over an older member: %v", err)
	}
	c.stop(old)
	c.start(old)
	eventually(t, func() error {
		if m := c.member(c.leader(), id); m.Feature != command.FeatureLevel {
			return fmt.Errorf("the upgraded member is recorded as %+v", m)
		}
		return nil
	})
	level, err := leader.RaiseFeature(withPatience(t), 0)
	if err != nil || level != command.FeatureLevel {
		t.Fatalf("raised to %d, %v", level, err)
	}
	if _, err := leader.RaiseFeature(withPatience(t), 99); !errors.Is(err, raftstore.ErrFeatureLevel) {
		t.Errorf("raising too far: %v", err)
	}
	joinToken(t, leader)
}
