package raftstore

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
)

// standing is what one member says of another's membership.
type standing struct {
	Member bool `json:"member"`
	// Committed is how much of the log the one that says so knows to be committed: it
	// may know less than the one that asks.
	Committed uint64 `json:"committed"`
}

// standingInterval is how often a node without a leader asks whether it still
// belongs.
const standingInterval = time.Second

// standingLoop asks the others, while this node hears from no leader, whether it
// is still a member. A node that is removed while nobody reaches it is never sent
// the entry that says so, and would answer what was true then for ever.
func (n *Node) standingLoop(ctx context.Context) {
	tick := time.NewTicker(standingInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if leader, _ := n.raft.LeaderWithID(); leader != "" {
			n.outcast.Store(false)
			continue
		}
		if n.askStanding(ctx) && !n.outcast.Swap(true) {
			n.log.Warn("this node was removed from its cluster while it heard from nobody; it answers nothing any more")
		}
	}
}

// askStanding says whether a member that knows more than this node says that it
// was removed.
func (n *Node) askStanding(ctx context.Context) bool {
	servers, err := n.servers()
	if err != nil {
		return false
	}
	for _, s := range servers {
		if string(s.ID) == n.id {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, standingInterval)
		text, err := n.peers.call(bounded, string(s.Address), methodStanding, []byte(n.id))
		cancel()
		var said standing
		if err == nil && json.Unmarshal(text, &said) == nil && !said.Member && said.Committed >= n.raft.CommitIndex() {
			return true
		}
	}
	return false
}

// handleStanding answers whether a node is a member.
func (n *Node) handleStanding(id string) ([]byte, error) {
	committed := n.raft.CommitIndex() // before the members: what is read later knows at least as much
	servers, err := n.servers()
	if err != nil {
		return nil, err
	}
	return json.Marshal(standing{Member: serverOf(servers, id).ID != "", Committed: committed})
}
