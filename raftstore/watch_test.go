package raftstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A reader that does not read holds no history: once the floor has passed it, it
// is told so, and one that begins below the floor is refused.
func TestWatchHoldsNoHistory(t *testing.T) {
	at := newClock()
	n := openNode(t, raftstore.Config{Clock: at.now, CollectInterval: 5 * time.Millisecond, HistoryWindow: time.Hour, NoSync: true})
	putStore(t, n, "s")
	begin := fill(t, n, "s", "old", 3)
	slow, err := n.Watch(t.Context(), "s", &begin.Revision, tuple.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fill(t, n, "s", "missed", 400) // more than a node keeps in memory for those who are nearly up to date
	eventually(t, func() error {
		at.forward(time.Minute)
		late, err := n.Watch(t.Context(), "s", &begin.Revision, tuple.Filter{})
		if err == nil {
			late.Close()
		}
		if !errors.Is(err, raftstore.ErrRevisionUnavailable) {
			return fmt.Errorf("a watch from before the window: %v", err)
		}
		return nil
	})
	if e, err := slow.Next(t.Context(), time.Minute); !errors.Is(err, raftstore.ErrRevisionUnavailable) {
		t.Errorf("the slow reader got %+v, %v", e, err)
	}
}

// A node that has lost sight of the others may hear of no change any more: its
// watches say so instead of staying silent for ever.
func TestWatchOfANodeCutOff(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { config.MaxWait = 300 * time.Millisecond })
	putStore(t, c.nodes[0], "s")
	left := c.follower()
	keys(t, c.nodes[left], "s", raftstore.FullyConsistent()) // it knows the store by then
	w, err := c.nodes[left].Watch(withPatience(t), "s", nil, tuple.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range c.nodes {
		if i != left {
			c.stop(i)
		}
	}
	eventually(t, func() error {
		if _, err := w.Next(withPatience(t), 10*time.Millisecond); !errors.Is(err, raftstore.ErrNotLeader) {
			return fmt.Errorf("the watch says %v", err)
		}
		return nil
	})
	node := c.nodes[left]
	if _, err := node.Backup(withPatience(t), raftstore.BackupRequest{}); !errors.Is(err, raftstore.ErrNotLeader) {
		t.Errorf("a backup that asks whether there is more: %v", err)
	}
	if _, header := takeBackup(t, node, raftstore.BackupRequest{Local: true}); header.Revision == 0 {
		t.Errorf("the backup of what is left: %+v", header)
	}
	c.stop(left)
	if _, err := w.Next(withPatience(t), time.Minute); !errors.Is(err, raftstore.ErrClosed) {
		t.Errorf("of a closed node: %v", err)
	}
	if _, err := node.Watch(withPatience(t), "s", nil, tuple.Filter{}); !errors.Is(err, raftstore.ErrClosed) {
		t.Errorf("a new one: %v", err)
	}
}

// A token from a leader is waited for on a follower, and one of the future refused.
func TestWatchFromATokenElsewhere(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	for round := range 20 {
		from := write(t, c.nodes[c.leader()], "s", change(command.Touch, viewer("d", fmt.Sprint(round))))
		w, err := c.nodes[c.follower()].Watch(withPatience(t), "s", &from.Revision, tuple.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		next := write(t, c.nodes[0], "s", change(command.Touch, viewer("e", fmt.Sprint(round))))
		e, err := w.Next(withPatience(t), time.Minute)
		if err != nil || e == nil || e.Revision != next.Revision || len(e.Changes) != 1 {
			t.Fatalf("got %+v, %v, want revision %d", e, err, next.Revision)
		}
		w.Close()
	}
	future := c.nodes[0].Status().Applied + 1_000_000
	if _, err := c.nodes[0].Watch(withPatience(t), "s", &future, tuple.Filter{}); !errors.Is(err, raftstore.ErrTokenAhead) {
		t.Errorf("from a revision that is not there: %v", err)
	}
}
