package raftstore

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// attendLoop removes members that have not answered for RemoveDeadAfter, while this
// node leads. A new leader begins to count anew, which only waits longer.
func (n *Node) attendLoop(ctx context.Context) {
	if n.config.RemoveDeadAfter <= 0 || n.peers == nil {
		return
	}
	tick := time.NewTicker(max(n.config.RemoveDeadAfter/10, time.Millisecond))
	defer tick.Stop()
	last := map[raft.ServerID]time.Time{}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		servers, err := n.servers()
		if err != nil {
			return
		}
		there := n.heard(ctx, servers)
		if ctx.Err() != nil {
			return
		}
		for _, s := range servers {
			if _, known := last[s.ID]; there[s.ID] || !known {
				last[s.ID] = time.Now()
			}
		}
		gone, ok := deadMember(servers, there, func(id raft.ServerID) bool { return time.Since(last[id]) >= n.config.RemoveDeadAfter }, n.config.MinVoters)
		if !ok {
			continue
		}
		n.log.Warn("a member has not answered for too long and is removed", "member", string(gone.ID), "address", string(gone.Address), "limit", n.config.RemoveDeadAfter)
		if err := n.removeMember(ctx, string(gone.ID)); err != nil {
			n.log.Warn("a dead member could not be removed", "member", string(gone.ID), "error", err)
		}
		delete(last, gone.ID)
	}
}

// deadMember chooses a member to remove, one at a time. One with a vote goes only
// where at least minVoters are left, and where those that answer are a majority
// of the voters before as well as after: so it can never be the living part of a
// cut network that is thrown out.
func deadMember(servers []raft.Server, there map[raft.ServerID]bool, dead func(raft.ServerID) bool, minVoters int) (raft.Server, bool) {
	voters, answering := 0, 0
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			voters++
			if there[s.ID] {
				answering++
			}
		}
	}
	if answering < voters/2+1 {
		return raft.Server{}, false
	}
	for _, s := range servers {
		if there[s.ID] || !dead(s.ID) {
			continue
		}
		if s.Suffrage != raft.Voter || voters-1 >= minVoters {
			return s, true
		}
	}
	return raft.Server{}, false
}
