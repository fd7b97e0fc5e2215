package raftstore

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// turn wakes those who wait for a leader.
type turn struct {
	mu      sync.Mutex    // guards changed
	changed chan struct{} // closed and replaced when another leads, or nobody
}

func newTurn() *turn { return &turn{changed: make(chan struct{})} }

// next returns what is closed at the next change.
func (t *turn) next() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

func (t *turn) come() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.changed)
	t.changed = make(chan struct{})
}

// turnLoop follows who leads, says so, and wakes those who wait for it.
func (n *Node) turnLoop(ctx context.Context) {
	seen := make(chan raft.Observation, 64)
	observer := raft.NewObserver(seen, false, func(o *raft.Observation) bool { // one that is dropped delays those who wait
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	n.raft.RegisterObserver(observer)
	defer n.raft.DeregisterObserver(observer)
	var stood time.Time
	for {
		select {
		case o := <-seen:
			switch what := o.Data.(type) {
			case raft.RaftState:
				if what == raft.Candidate {
					stood = time.Now()
				}
			case raft.LeaderObservation:
				n.turn.come()
				n.tellTurn(what, stood)
			}
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) tellTurn(o raft.LeaderObservation, stood time.Time) {
	switch {
	case o.LeaderID == "":
		n.log.Info("this node knows no leader", "term", n.raft.CurrentTerm(), "silence", n.silence())
	case string(o.LeaderID) == n.id:
		n.log.Info("this node leads the cluster", "term", n.raft.CurrentTerm(), "election", since(stood), "silence", n.silence())
	default:
		n.log.Info("another member leads the cluster", "leader", string(o.LeaderID), "term", n.raft.CurrentTerm())
	}
}

// silence is how long no other leader was heard of; 0 where none ever was.
func (n *Node) silence() time.Duration { return since(n.raft.LastContact()) }

// since is how long ago something was; 0 where it never was.
func since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return time.Since(t)
}
