package raftstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/raftstore/raftlog"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// scrubLoop reads the node's data again from time to time, until the context
// ends. Storage can lose a tuple without an error, and a lost exclusion would
// allow what is denied: a node whose data is damaged rebuilds it, or halts.
func (n *Node) scrubLoop(ctx context.Context) {
	if n.config.ScrubInterval < 0 {
		return
	}
	tick := time.NewTicker(n.config.ScrubInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := n.raftLog.Verify(ctx); errors.Is(err, raftlog.ErrDamaged) {
			n.halt(fmt.Errorf("%w; it holds this node's votes and promises, so nothing can stand in for it: remove the node from its cluster and join with an empty folder", err))
			return
		}
		err := n.state.Scrub(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, state.ErrCorrupt):
			n.damaged(err)
		default:
			n.log.Warn("the data could not be read again; it is tried later", "error", err)
		}
	}
}
