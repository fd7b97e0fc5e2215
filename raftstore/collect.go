package raftstore

import (
	"context"
	"errors"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// collectLimit is how many expired tuples one entry removes at most.
const collectLimit = 1000

// collectLoop removes expired tuples and moves the history's floor up, until the
// leadership ends.
func (n *Node) collectLoop(ctx context.Context) {
	if n.config.CollectInterval < 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(n.config.CollectInterval)
	defer tick.Stop()
	var past timeline
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := n.collectExpired(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("expired tuples could not be removed; they stay without effect", "error", err)
		}
		past.note(n.Now(), n.state.AppliedRevision())
		if err := n.raiseFloor(ctx, past.before(n.Now().Add(-n.config.HistoryWindow))); err != nil && ctx.Err() == nil {
			n.log.Warn("old history could not be dropped", "error", err)
		}
	}
}

// collectExpired removes what has expired by the leader's clock, which the
// commands carry, store by store.
func (n *Node) collectExpired(ctx context.Context) error {
	for _, store := range n.state.Stores() {
		more, err := n.state.HasExpired(store.Name, n.Now()) // an entry that finds nothing to do is one that every node keeps
		for more && err == nil {
			var result command.Result
			result, err = n.proposer.propose(ctx, command.Command{Store: store.Name, Body: &command.CollectExpired{Limit: collectLimit}})
			more = result.More
		}
		gone := errors.Is(err, state.ErrStoreNotFound) || errors.Is(err, &Rejection{Code: command.CodeStoreNotFound})
		if err != nil && !gone { // it may be deleted meanwhile
			return err
		}
	}
	return nil
}

// floorStep is how many revisions are given up at once at least: the command that
// does it is a revision itself, and an idle cluster would never come to rest.
const floorStep = 64

// raiseFloor gives up history before a revision.
func (n *Node) raiseFloor(ctx context.Context, r tuple.Revision) error {
	if r < n.state.Floor()+floorStep {
		return nil
	}
	_, err := n.proposer.propose(ctx, command.Command{Body: &command.SetFloor{Revision: r}})
	return err
}

// timeline remembers which revision the leader was at when. A new leader begins
// with an empty one: the floor then waits for a window longer, which only keeps more.
type timeline struct {
	marks []timeMark // ascending
}

type timeMark struct {
	at       time.Time
	revision tuple.Revision
}

func (t *timeline) note(at time.Time, r tuple.Revision) {
	t.marks = append(t.marks, timeMark{at, r})
}

// before returns the revision of the last mark at or before an instant, and
// forgets older ones; 0 when there is none.
func (t *timeline) before(instant time.Time) tuple.Revision {
	last := -1
	for i, m := range t.marks {
		if m.at.After(instant) {
			break
		}
		last = i
	}
	if last < 0 {
		return 0
	}
	t.marks = t.marks[last:]
	return t.marks[0].revision
}
