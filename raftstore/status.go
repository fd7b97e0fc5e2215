package raftstore

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Member is one node of the cluster.
type Member struct {
	ID          string
	Name        string // of its certificate; "" without one
	Address     string // host:port of the cluster port
	HTTPAddress string // URL of its HTTP surface; "" when it told none
	Voter       bool   // false while it catches up, and of a replica
	Replica     bool   // without a vote for good
	Feature     uint32 // the feature level that its build knows
	Leader      bool
}

// Status is what a node knows of itself and its cluster.
type Status struct {
	NodeID    string
	ClusterID string // "" until the node knows it
	Role      string // leader, follower, candidate or shutdown
	Term      uint64
	Leader    Member // zero when none is known
	Members   []Member
	Feature   uint32         // the feature level that the cluster uses
	Applied   tuple.Revision // the last change that this node has applied
	Durable   tuple.Revision // the last one that survives a power loss without the log
	LogFirst  uint64         // the oldest index of the log
	LogLast   uint64         // the newest
	LogBytes  int64          // about how much the log holds
	Ready     bool
	NotReady  string // why it is not ready; "" when it is
	Fault     error  // why it halted; nil when it did not

	DiskFull   bool  // it writes no more until there is room
	Rebuilding error // why it rebuilds its data from the others; nil when it does not
	Rebuilt    int   // how often it has since its start
	RebuiltFor error // why it did the last time
	Time       time.Time
}

// readyLoop waits until the node has seen everything that was acknowledged
// before it started.
func (n *Node) readyLoop(ctx context.Context) {
	for ctx.Err() == nil {
		index, err := n.readIndex(ctx)
		if err == nil {
			err = n.await(ctx, index.revision)
		}
		if err == nil && !n.clusterID().IsZero() && n.rebuildCause() == nil {
			close(n.ready)
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// Ready says whether the node has caught up with its cluster and serves.
func (n *Node) Ready() bool { return n.notReady() == "" }

func (n *Node) notReady() string {
	if err := n.serving(); err != nil {
		return err.Error()
	}
	if n.stalled.Load() {
		return "the disk of the log does not answer"
	}
	if n.full.Load() {
		return "the disk is nearly full"
	}
	select {
	case <-n.ready:
		if err := n.answering(); err != nil {
			return err.Error()
		}
		return ""
	default:
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hindrance != "" {
		return n.hindrance
	}
	return "catching up with the cluster"
}

// WaitReady waits until the node has caught up. Errors: the context's,
// ErrClosed, ErrHalted, why the node may not join (IsJoinRefusal).
func (n *Node) WaitReady(ctx context.Context) error {
	select {
	case <-n.ready:
		return n.serving()
	case <-ctx.Done():
		return ctx.Err()
	case <-n.refused:
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.refusal
	case <-n.ctx.Done():
		if err := n.serving(); err != nil {
			return err
		}
		return ErrClosed
	}
}

func (n *Node) setHindrance(why string) {
	n.mu.Lock()
	n.hindrance = why
	n.mu.Unlock()
}

// Graphs returns the size of what the node holds of all stores in memory.
func (n *Node) Graphs() graph.Stats { return n.state.Graphs() }

// Status describes the node and its cluster as this node knows them.
func (n *Node) Status() Status {
	s := Status{
		NodeID:   n.id,
		Role:     strings.ToLower(n.raft.State().String()),
		Term:     n.raft.CurrentTerm(),
		Feature:  n.state.Feature(),
		Applied:  n.state.AppliedRevision(),
		LogLast:  n.raft.LastIndex(),
		LogBytes: n.raftLog.Bytes(),
		Fault:    n.faultOf(),
		NotReady: n.notReady(),
		Time:     n.config.Clock(),
	}
	s.Ready = s.NotReady == ""
	if id := n.clusterID(); !id.IsZero() {
		s.ClusterID = id.String()
	}
	durable, _ := n.state.Durable()
	s.Durable = tuple.Revision(durable)
	s.DiskFull = n.full.Load()
	n.mu.Lock()
	s.Rebuilding, s.Rebuilt, s.RebuiltFor = n.rebuilds.cause, n.rebuilds.total, n.rebuilds.last
	gone := n.closed || n.fault != nil
	n.mu.Unlock()
	if gone {
		return s // the log may be closed
	}
	if first, err := n.raftLog.FirstIndex(); err == nil {
		s.LogFirst = first
	}
	s.Members, s.Leader = n.members()
	return s
}

// members joins what Raft knows of the members with what they told.
func (n *Node) members() (all []Member, leader Member) {
	servers, err := n.servers()
	if err != nil {
		return nil, Member{}
	}
	told := map[string]command.Member{}
	for _, m := range n.state.Members() {
		told[m.ID] = m
	}
	_, leaderID := n.raft.LeaderWithID()
	for _, s := range servers {
		m := Member{
			ID: string(s.ID), Name: told[string(s.ID)].Name, Address: string(s.Address), HTTPAddress: told[string(s.ID)].API,
			Voter: s.Suffrage == raft.Voter, Feature: told[string(s.ID)].Feature, Leader: s.ID == leaderID,
		}
		if known, ok := told[m.ID]; ok {
			m.Replica = !m.Voter && !known.Voter
		}
		if m.Leader {
			leader = m
		}
		all = append(all, m)
	}
	return all, leader
}
