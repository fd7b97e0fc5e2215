package raftstore_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// clock is a time that a test moves.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) forward(d time.Duration) { c.nanos.Add(int64(d)) }

func TestExpiredTuplesAreCollectedOnEveryNode(t *testing.T) {
	at := newClock()
	c := startCluster(t, 3, func(config *raftstore.Config) {
		config.Clock, config.CollectInterval = at.now, 5*time.Millisecond
	})
	putStore(t, c.nodes[0], "s")
	const count = 1500 // more than one entry collects
	var passing raftstore.WriteRequest
	for i := range count {
		tup := viewer("d", fmt.Sprint(i))
		tup.Expires = at.now().Add(time.Hour)
		passing.Operations = append(passing.Operations, raftstore.Operation{Op: command.Create, Tuple: tup})
	}
	write(t, c.nodes[0], "s", passing)
	fill(t, c.nodes[0], "s", "staying", 3)
	live := func(n *raftstore.Node) uint64 {
		view, err := n.View(withPatience(t), "s", raftstore.FullyConsistent())
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		counts, err := view.Counts()
		if err != nil {
			t.Fatal(err)
		}
		return counts.Live
	}
	at.forward(59 * time.Minute)
	if got := live(c.nodes[1]); got != count+3 {
		t.Errorf("before their time %d tuples are there, want %d", got, count+3)
	}
	at.forward(time.Minute)
	for i, n := range c.nodes {
		eventually(t, func() error {
			if got := live(n); got != 3 {
				return fmt.Errorf("node %d still keeps %d tuples, want 3", i, got)
			}
			return nil
		})
	}
}

func TestHistoryEndsAtTheWindow(t *testing.T) {
	at := newClock()
	n := openNode(t, raftstore.Config{Clock: at.now, CollectInterval: 5 * time.Millisecond, HistoryWindow: time.Hour})
	putStore(t, n, "s")
	old := fill(t, n, "s", "old", 100)
	at.forward(30 * time.Minute)
	middle := fill(t, n, "s", "middle", 100)
	if got := len(keys(t, n, "s", raftstore.AtExactSnapshot(old.Revision))); got != 100 {
		t.Errorf("inside the window the store had %d tuples, want 100", got)
	}
	read := func(r raftstore.WriteResult) error {
		view, err := n.View(withPatience(t), "s", raftstore.AtExactSnapshot(r.Revision))
		if err == nil {
			view.Close()
		}
		return err
	}
	// The floor follows marks that are set as time goes by, so move on in steps.
	eventually(t, func() error {
		at.forward(time.Minute)
		if err := read(old); !errors.Is(err, raftstore.ErrRevisionUnavailable) {
			return fmt.Errorf("a revision far before the window gives %v", err)
		}
		return nil
	})
	var outside *raftstore.RevisionError
	if err := read(old); !errors.As(err, &outside) || outside.Floor <= old.Revision || outside.Floor > middle.Revision+1000 {
		t.Errorf("the error says %+v", outside)
	}
}
