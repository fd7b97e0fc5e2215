package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// handOver lets another member lead at once instead of after a timeout.
func (n *Node) handOver() {
	if n.raft == nil || n.raft.State() != raft.Leader {
		return
	}
	if servers, err := n.servers(); err != nil || len(servers) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handover)
	defer cancel()
	if err := n.transfer(ctx); err != nil {
		n.log.Info("leadership was not handed over; the others will elect a leader", "error", err)
	}
}

// transfer makes another voter lead: it holds writes back, waits for a voter that
// has the whole log, tells it to stand for election, and waits until it leads.
// Where nobody comes to stand, this node leads on and takes the writes that have
// waited. It takes handover at most.
//
// Raft's own LeadershipTransfer is not used: where the leader loses its followers
// during one, it refuses every write with "transfer in progress" when it leads
// again, for ever (hashicorp/raft #696).
func (n *Node) transfer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	if !n.yielding.CompareAndSwap(false, true) {
		return errors.New("another transfer of leadership is under way")
	}
	defer n.yielding.Store(false)
	began := time.Now()
	n.proposer.queue.pause(true)
	defer n.proposer.queue.pause(false)
	target, err := n.successor(ctx)
	if err != nil {
		return err
	}
	found, term := time.Now(), n.raft.CurrentTerm()
	told := make(chan error, 1)
	n.telling.Go(func() { // a member that hangs ends this when Raft's transport closes, or after raftTimeout
		told <- n.transport.TimeoutNow(target.ID, target.Address, n.timeoutNow(), new(raft.TimeoutNowResponse))
	})
	if err := n.yielded(ctx, target, told); err != nil {
		return err
	}
	n.proposer.queue.pause(false) // it is no leader's any more
	if err := n.followed(ctx, target, term); err != nil {
		return err
	}
	n.log.Info("leadership was handed over", "to", string(target.ID), "term", n.raft.CurrentTerm(), "choice", found.Sub(began), "election", time.Since(found))
	return nil
}

// yielded waits until this node leads no more, which a candidate brings about.
func (n *Node) yielded(ctx context.Context, target raft.Server, told <-chan error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n.raft.State() == raft.Leader {
		select {
		case err := <-told:
			if err != nil {
				return fmt.Errorf("the member %s could not be told to lead: %w", target.ID, err)
			}
			told = nil // it stands for election now
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the member %s did not come to lead: %w", target.ID, ctx.Err())
		}
	}
	return nil
}

// followed waits until somebody leads. A candidate needs votes, perhaps this node's,
// which must not be gone before. Where it does not get them in time this node stands
// itself: that candidate would wait for an election timeout.
func (n *Node) followed(ctx context.Context, target raft.Server, term uint64) error {
	late := time.After(voteTimeout)
	for {
		turn := n.turn.next()
		switch _, leader := n.raft.LeaderWithID(); string(leader) {
		case "":
		case n.id:
			return errors.New("nobody else won the election: this node leads again")
		default:
			return nil
		}
		select {
		case <-turn:
		case <-late:
			if n.raft.CurrentTerm() == term {
				return errors.New("leadership was lost to nobody: too few members answer")
			}
			n.log.Info("the member that is to lead has not won its election: this node stands", "member", string(target.ID))
			if err := n.stand(); err != nil {
				return fmt.Errorf("the member %s did not come to lead: %w", target.ID, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("the member %s did not come to lead: %w", target.ID, ctx.Err())
		}
	}
}

// successor waits until nothing is on its way into the log, and for a voter whose
// log ends where this leader's does: with an entry more than its successor a leader
// would deny it its vote.
func (n *Node) successor(ctx context.Context) (raft.Server, error) {
	servers, err := n.servers()
	if err != nil {
		return raft.Server{}, err
	}
	var voters []raft.Server
	for _, s := range servers {
		if s.Suffrage == raft.Voter && string(s.ID) != n.id {
			voters = append(voters, s)
		}
	}
	if len(voters) == 0 {
		return raft.Server{}, errors.New("no other member votes")
	}
	for {
		if err := n.settledLog(ctx); err != nil {
			return raft.Server{}, err
		}
		ends := make(chan raft.Server, len(voters))
		asking, cancel := context.WithTimeout(ctx, handover/4)
		for _, s := range voters {
			n.telling.Go(func() {
				answer, err := n.peers.call(asking, string(s.Address), methodLastIndex, nil)
				if err == nil && len(answer) == 8 && binary.BigEndian.Uint64(answer) >= n.raft.LastIndex() {
					ends <- s
					return
				}
				ends <- raft.Server{}
			})
		}
		for range voters {
			if s := <-ends; s.ID != "" {
				cancel()
				return s, nil
			}
		}
		cancel()
		select {
		case <-time.After(2 * time.Millisecond):
		case <-ctx.Done():
			return raft.Server{}, fmt.Errorf("no other member has the whole log: %w", ctx.Err())
		}
	}
}

// settledLog waits until nothing is on its way into the log; the queue is paused.
func (n *Node) settledLog(ctx context.Context) error {
	for !n.proposer.queue.idle() || n.barriers.Load() > 0 {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("what is under way does not end: %w", ctx.Err())
		}
	}
	return nil
}
