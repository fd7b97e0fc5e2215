package raftstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// Two of three members are lost for good. The third becomes a cluster of its own
// that has everything, takes new members, and has nothing to do with the former
// ones, which come back after all.
func TestRecoverFromALostMajority(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	written := fill(t, c.nodes[0], "s", "d", 20)
	survivor := c.follower()
	reached, err := c.nodes[survivor].ParseToken(written.Token)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys(t, c.nodes[survivor], "s", raftstore.AtLeastAsFresh(reached))) != 20 {
		t.Fatal("the survivor lags")
	}
	before := c.nodes[survivor].Status()
	dir := c.configs[survivor].Dir
	if _, err := raftstore.PlanRecovery(dir, nil); err == nil {
		t.Error("a running node can be recovered")
	}
	for i := range c.nodes {
		c.stop(i)
	}
	plan, err := raftstore.PlanRecovery(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if plan.NodeID != before.NodeID || plan.ClusterID != before.ClusterID || len(plan.Lost) != 2 || plan.NewID != "" {
		t.Errorf("the plan is %+v", plan)
	}
	if _, err := raftstore.Recover(dir, "yes", nil); !errors.Is(err, raftstore.ErrRecoveryUnconfirmed) {
		t.Errorf("unconfirmed: %v", err)
	}
	done, err := raftstore.Recover(dir, plan.ClusterID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.NewID == "" || done.NewID == plan.ClusterID {
		t.Errorf("the cluster's id is %q now", done.NewID)
	}
	if _, err := raftstore.Recover(dir, done.NewID, nil); !errors.Is(err, raftstore.ErrRecoveryNeedless) {
		t.Errorf("again: %v", err)
	}

	recovered := c.start(survivor)
	if err := recovered.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	if got := len(keys(t, recovered, "s", raftstore.FullyConsistent())); got != 20 {
		t.Errorf("it has %d tuples, want 20", got)
	}
	if _, err := recovered.ParseToken(written.Token); !errors.Is(err, raftstore.ErrTokenOtherCluster) {
		t.Errorf("a token of before: %v", err)
	}
	fill(t, recovered, "s", "after", 5)

	for i := range c.nodes { // the lost ones are back, and have a majority of what was
		if i != survivor {
			c.start(i)
		}
	}
	other := c.nodes[(survivor+1)%3]
	eventually(t, func() error {
		if s := other.Status(); s.Leader.ID == "" {
			return errors.New("the former members elect nobody")
		}
		if n := recovered.Strangers()["cluster"]; n == 0 {
			return errors.New("nobody of them was turned away")
		}
		return nil
	})
	newcomer := openNode(t, raftstore.Config{Dir: t.TempDir(), ListenAddr: freeAddress(t), Join: []string{c.configs[survivor].ListenAddr}, NoSync: true, HeartbeatTimeout: 200 * time.Millisecond})
	if err := newcomer.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		s := newcomer.Status()
		if len(s.Members) != 2 || !s.Members[0].Voter || !s.Members[1].Voter || s.ClusterID != done.NewID {
			return fmt.Errorf("the newcomer sees %+v in cluster %s", s.Members, s.ClusterID)
		}
		return nil
	})
	if got := len(keys(t, newcomer, "s", raftstore.FullyConsistent())); got != 25 {
		t.Errorf("the newcomer has %d tuples, want 25", got)
	}
	if got := recovered.Status(); got.NodeID != before.NodeID || len(got.Members) != 2 {
		t.Errorf("the recovered node sees %+v", got.Members)
	}
	c.stop((survivor + 1) % 3)
	config := c.configs[(survivor+1)%3]
	config.Join = []string{c.configs[survivor].ListenAddr}
	if _, err := raftstore.Open(withPatience(t), config); !errors.Is(err, raftstore.ErrOtherCluster) {
		t.Errorf("a former member that joins with its folder: %v", err)
	}
}

// What the survivor had received and not applied is applied, and a recovery that
// was cut off keeps the node from starting until another has ended.
func TestRecoveryIsFinished(t *testing.T) {
	c := startCluster(t, 2, nil)
	putStore(t, c.nodes[0], "s")
	fill(t, c.nodes[0], "s", "d", 5)
	eventually(t, func() error {
		if a, b := c.nodes[0].Status().Applied, c.nodes[1].Status().Applied; a != b {
			return fmt.Errorf("%d and %d", a, b)
		}
		return nil
	})
	c.stop(0)
	c.stop(1)
	config := c.configs[1]
	mark := filepath.Join(config.Dir, "recovering.json")
	if err := os.WriteFile(mark, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := raftstore.Open(withPatience(t), config); !errors.Is(err, raftstore.ErrRecoveryUnderWay) {
		t.Errorf("a recovery that was cut off: %v", err)
	}
	plan, err := raftstore.PlanRecovery(config.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raftstore.Recover(config.Dir, plan.ClusterID, nil); err != nil {
		t.Fatal(err)
	}
	config.Join = nil
	n := openNode(t, config)
	if got := len(keys(t, n, "s", raftstore.FullyConsistent())); got != 5 {
		t.Errorf("%d tuples, want 5", got)
	}
	if _, _, err := n.NewJoinToken(withPatience(t), time.Hour, false); err != nil {
		t.Errorf("the feature level %d is not in use: %v", command.FeatureMembership, err)
	}
	if _, err := raftstore.PlanRecovery(t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}
