package raftstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is one store at one revision, pinned until Close. It is an engine.Reader.
type View = state.View

// View pins a store at the revision that the consistency asks for. The caller
// closes it. Errors: *Rejection (store_not_found), *RevisionError, ErrNotLeader
// (fully consistent, no leader), ErrNotMember, ErrHalted, the context's.
func (n *Node) View(ctx context.Context, store string, c Consistency) (*View, error) {
	if err := n.answering(); err != nil {
		return nil, err
	}
	at := tuple.Revision(0)
	switch c.mode {
	case minimizeLatency:
	case atLeastAsFresh:
		if err := n.reach(ctx, c.revision); err != nil {
			return nil, err
		}
	case atExactSnapshot:
		if err := n.reach(ctx, c.revision); err != nil {
			return nil, err
		}
		at = max(c.revision, 1) // revision 0 is before every change, and 0 asks for the head
	case fullyConsistent:
		index, err := n.readIndex(ctx)
		if err != nil {
			return nil, err
		}
		if err := n.await(ctx, index.revision); err != nil {
			return nil, err
		}
	}
	view, err := n.state.View(store, at)
	if err != nil {
		return nil, n.viewError(store, err)
	}
	return view, nil
}

// viewError says in this package's words why the state gave no view.
func (n *Node) viewError(store string, err error) error {
	var outside *state.RevisionError
	switch {
	case errors.Is(err, state.ErrStoreNotFound):
		return storeNotFound(store)
	case errors.As(err, &outside):
		cause := ErrRevisionUnavailable
		if errors.Is(err, state.ErrAhead) {
			cause = ErrTokenAhead
		}
		return &RevisionError{Revision: outside.Revision, Floor: outside.Floor, Applied: outside.Applied, Err: cause}
	case errors.Is(err, state.ErrClosed):
		return ErrClosed
	}
	return err
}

func storeNotFound(name string) error {
	return &Rejection{
		Code:       command.CodeStoreNotFound,
		Message:    fmt.Sprintf("there is no store %q", name),
		Suggestion: "create it with PUT /v1/stores/{store}, or look at the list of stores",
		Operation:  -1,
	}
}

// patience is how long a node waits for a revision before it asks the leader
// whether there is such a revision at all.
const patience = 20 * time.Millisecond

// reach waits until a token's revision is applied here.
func (n *Node) reach(ctx context.Context, r tuple.Revision) error {
	if n.state.AppliedRevision() >= r {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	soon, stop := context.WithTimeout(ctx, patience)
	err := n.state.WaitApplied(soon, r)
	stop()
	if err == nil {
		return nil
	}
	index, err := n.readIndex(ctx)
	if err == nil && r > index.last {
		return &RevisionError{Revision: r, Applied: n.state.AppliedRevision(), Err: ErrTokenAhead}
	}
	return n.await(ctx, r) // also where no leader answers: the revision may be on its way
}

// await waits until a revision is applied here, at most MaxWait.
func (n *Node) await(ctx context.Context, r tuple.Revision) error {
	bounded, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	err := n.state.WaitApplied(bounded, r)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, state.ErrClosed):
		return ErrClosed
	case errors.Is(err, context.Canceled):
		return err
	}
	return &RevisionError{Revision: r, Applied: n.state.AppliedRevision(), Err: ErrRevisionTimeout}
}

// readIndex returns a revision that holds every write acknowledged before the
// call, trying again while there is no leader. Each try takes a new index: an
// index of before a failure proves nothing about what came since.
func (n *Node) readIndex(ctx context.Context) (leaderIndex, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	var index leaderIndex
	err := n.untilLeader(ctx, func() (err error) {
		if n.raft.State() == raft.Leader {
			index, err = n.localReads.join(ctx)
			return err
		}
		index, err = n.remoteReads.join(ctx)
		return err
	})
	return index, err
}

// leaderIndex is what a leader says of itself once it knows that it still is one.
type leaderIndex struct {
	revision tuple.Revision // what it has applied, with all that was acknowledged before the question
	last     tuple.Revision // the end of its log
}

// verifyIndex is a leader's part of a fully consistent read: it has a majority
// confirm, after the question came, that it leads and has applied all that any
// leader before it acknowledged.
//
// With followers, that is a barrier in the log: once it is committed in this
// leader's own term and has gone through apply, so has everything before it.
// Raft's VerifyLeader would cost no fsync, but it counts the answers to
// heartbeats that were sent before it was called, so a node that stood still for
// longer than an election may take itself for the leader. Leases trust clocks.
func (n *Node) verifyIndex(context.Context) (leaderIndex, error) {
	servers, err := n.servers()
	if err != nil {
		return leaderIndex{}, notProposed(err)
	}
	voters := 0
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	if voters == 1 {
		return n.loneIndex()
	}
	n.barriers.Add(1)
	defer n.barriers.Add(-1)
	if n.yielding.Load() { // the successor's log must reach as far as this one's
		return leaderIndex{}, ErrNotLeader
	}
	// It answers at the latest when the leader's lease has run out.
	if err := n.raft.Barrier(raftTimeout).Error(); err != nil {
		return leaderIndex{}, notProposed(err)
	}
	index := leaderIndex{n.state.AppliedRevision(), tuple.Revision(n.raft.LastIndex())}
	return index, n.serving() // a node that rebuilds itself lets entries go by
}

// loneIndex is verifyIndex of the only voter: nobody else can lead. Before it has
// applied an entry of its own term, its marker, it does not know what was
// committed before.
func (n *Node) loneIndex() (leaderIndex, error) {
	term := n.raft.CurrentTerm()
	if n.raft.State() != raft.Leader || n.fsm.term.Load() != term {
		return leaderIndex{}, ErrNotLeader // or not yet: its marker is on the way
	}
	revision := n.state.AppliedRevision()
	if err := n.raft.VerifyLeader().Error(); err != nil {
		return leaderIndex{}, notProposed(err)
	}
	if n.raft.CurrentTerm() != term {
		return leaderIndex{}, ErrNotLeader
	}
	return leaderIndex{revision, tuple.Revision(n.raft.LastIndex())}, nil
}
