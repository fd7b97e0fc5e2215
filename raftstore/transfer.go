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
	if servers, err := n.servers(); err != nil || n.raft.State() != raft.Leader || len(servers) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handover)
	defer cancel()
	if err := n.transfer(ctx); err != nil {
		n.log.Info("leadership was not handed over; the others will elect a leader", "error", err)
	}
}

// transfer makes another voter lead: it holds writes back, waits for a voter that
// has the whole log, and tells it to stand for election. Where that fails, this
// node leads on and takes the writes that have waited. It takes handover at most.
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
	n.proposer.queue.pause(true)
	defer n.proposer.queue.pause(false)
	target, err := n.successor(ctx)
	if err != nil {
		return err
	}
	told := make(chan error, 1)
	n.telling.Go(func() { // a member that hangs ends this when Raft's transport closes, or after raftTimeout
		request := raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax,
			ID:              []byte(n.id),
			Addr:            n.transport.EncodePeer(raft.ServerID(n.id), n.transport.LocalAddr()),
		}}
		told <- n.transport.TimeoutNow(target.ID, target.Address, &request, new(raft.TimeoutNowResponse))
	})
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

// successor waits for a voter whose log ends where this leader's does.
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
