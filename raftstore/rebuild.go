package raftstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/disk"
)

// damagedDir holds what a rebuilt node held before, for the operator to look at:
// the last one only, since it takes as much room as the data.
const damagedDir = "damaged"

const (
	maxRebuilds   = 3 // in rebuildPeriod; more are a fault that rebuilding does not mend
	rebuildPeriod = time.Hour
	rebuildPause  = 5 * time.Second // between two tries
)

// rebuilds is what a node knows of its rebuilding. Guarded by Node.mu.
type rebuilds struct {
	cause error       // why it is rebuilding; nil when it is not
	done  []time.Time // when it has
	total int         // how often since the start
	last  error       // why it did the last time
}

// damaged is told that this node's data is not what it should be. The node stops
// serving at once. With other voters it rebuilds itself from them; without, it
// halts. It may be called from apply.
func (n *Node) damaged(cause error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.rebuilds.cause != nil || n.fault != nil || n.closed {
		return
	}
	n.rebuilds.cause = cause
	n.rebuilding.Go(func() {
		<-n.started // Raft may apply entries before Open has it in hand
		n.fsm.suspend()
		if err := n.mayRebuild(); err != nil {
			n.halt(fmt.Errorf("%w; %w", cause, err))
			return
		}
		n.log.Error("this node's data is damaged: it stops serving and rebuilds itself from the others", "error", cause)
		n.rebuildLoop(n.ctx)
	})
}

// mayRebuild says why rebuilding is of no use.
func (n *Node) mayRebuild() error {
	if _, err := n.otherVoters(); err != nil {
		return fmt.Errorf("there is no other member to rebuild from: %w; restore a backup into an empty folder", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rebuilds.done = slices.DeleteFunc(n.rebuilds.done, func(at time.Time) bool { return time.Since(at) > rebuildPeriod })
	if len(n.rebuilds.done) >= maxRebuilds {
		return fmt.Errorf("it was rebuilt %d times within an hour: is the disk or the memory of this machine broken?", maxRebuilds)
	}
	return nil
}

// otherVoters returns the voters beside this node.
func (n *Node) otherVoters() ([]raft.Server, error) {
	if n.raft == nil || n.peers == nil {
		return nil, ErrNotReady
	}
	servers, err := n.servers()
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(slices.Clone(servers), func(s raft.Server) bool {
		return string(s.ID) == n.id || s.Suffrage != raft.Voter
	})
	if len(others) == 0 {
		return nil, errors.New("this node is the only voter")
	}
	return others, nil
}

// rebuildLoop rebuilds until it has worked or the context ends.
func (n *Node) rebuildLoop(ctx context.Context) {
	for ctx.Err() == nil {
		if n.raft.State() == raft.Leader {
			n.handOver()
		}
		err := n.rebuild(ctx)
		if err == nil {
			n.mu.Lock()
			n.rebuilds.last, n.rebuilds.cause = n.rebuilds.cause, nil
			n.rebuilds.done = append(n.rebuilds.done, time.Now())
			n.rebuilds.total++
			n.mu.Unlock()
			n.log.Warn("this node has rebuilt its data from another member and serves again", "applied", n.state.AppliedRevision(),
				"kept", filepath.Join(n.config.Dir, damagedDir))
			return
		}
		n.log.Error("the data could not be rebuilt yet", "error", err)
		select {
		case <-time.After(rebuildPause):
		case <-ctx.Done():
		}
	}
}

// rebuild takes a snapshot from another voter and puts it in the place of what is
// here. The log and the votes stay: this node has promised to keep them.
func (n *Node) rebuild(ctx context.Context) error {
	others, err := n.otherVoters()
	if err != nil {
		return err
	}
	_, leader := n.raft.LeaderWithID()
	if i := slices.IndexFunc(others, func(s raft.Server) bool { return s.ID == leader }); i >= 0 {
		busy := others[i] // with leading
		others = append(slices.Delete(others, i, i+1), busy)
	}
	var failed []error
	for _, from := range others {
		err := n.rebuildFrom(ctx, string(from.Address))
		if err == nil {
			return nil
		}
		failed = append(failed, fmt.Errorf("from %s at %s: %w", from.ID, from.Address, err))
	}
	return errors.Join(failed...)
}

func (n *Node) rebuildFrom(ctx context.Context, address string) error {
	spool, err := newSpool(filepath.Join(n.config.Dir, raftDir))
	if err != nil {
		return err
	}
	defer removeSpool(spool)
	if err := n.fetchState(ctx, address, n.fsm.seen(), spool); err != nil {
		return err
	}
	aside, err := emptyAside(n.config.Dir)
	if err != nil {
		return err
	}
	return n.fsm.replace(n.raftLog, func() error { return n.state.Replace(spool, aside) })
}

// emptyAside names a folder for what is replaced, and removes the one before.
func emptyAside(dir string) (string, error) {
	parent := filepath.Join(dir, damagedDir)
	if err := os.RemoveAll(parent); err != nil {
		return "", err
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(parent, time.Now().UTC().Format("20060102T150405Z")), disk.Sync(dir)
}

// rebuildCause says why the node is rebuilding; nil when it is not.
func (n *Node) rebuildCause() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.rebuilds.cause
}
