package raftstore

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Effects is what one change of the log did to a store.
type Effects = state.Effects

// ErrStoreDeleted means that the store that is watched was deleted, and that all
// that happened to it was given.
var ErrStoreDeleted = state.ErrStoreDeleted

// Watch gives what happens to one store: every revision once, in order, each
// whole. Any node gives it, from what it has applied itself.
type Watch struct {
	*state.Watch
	n *Node

	leaderless time.Time // since when no leader is known; zero: one is
}

// Watch watches a store from behind a revision on; nil is from now on. Whoever
// reads at a token and then watches from it misses nothing. Errors: as for View,
// and ErrRevisionUnavailable where the revision is below the history's floor.
func (n *Node) Watch(ctx context.Context, store string, after *tuple.Revision, filter tuple.Filter) (*Watch, error) {
	if err := n.answering(); err != nil {
		return nil, err
	}
	from := n.state.AppliedRevision()
	if after != nil {
		from = *after
		if err := n.reach(ctx, from); err != nil {
			return nil, err
		}
	}
	w, err := n.state.Watch(store, from, filter)
	if err != nil {
		return nil, n.viewError(store, err)
	}
	return &Watch{Watch: w, n: n}, nil
}

// Next returns what the next revision did that the watch is about; nil where
// there was none within wait. Errors: ErrStoreDeleted, ErrRevisionUnavailable
// where the history's floor has passed a slow reader; and where this node cannot
// go on, so that another should: ErrClosed, ErrHalted, ErrNotMember, ErrNotLeader.
func (w *Watch) Next(ctx context.Context, wait time.Duration) (*Effects, error) {
	e, ok, err := w.Watch.Next(ctx, wait)
	switch {
	case errors.Is(err, state.ErrStoreDeleted):
		return nil, err
	case err != nil:
		return nil, w.n.viewError("", err)
	case ok:
		return e, nil
	}
	return nil, w.hears()
}

// hears says why this node may not hear of changes any more. One without a leader
// for long is cut off from the others, who may go on.
func (w *Watch) hears() error {
	if err := w.n.answering(); err != nil {
		return err
	}
	if _, leader := w.n.raft.LeaderWithID(); leader != raft.ServerID("") {
		w.leaderless = time.Time{}
		return nil
	}
	now := time.Now()
	if w.leaderless.IsZero() {
		w.leaderless = now
	}
	if now.Sub(w.leaderless) >= w.n.config.MaxWait {
		return ErrNotLeader
	}
	return nil
}
