package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// propose puts a command into the log, here or on the leader, and waits for its
// result. It tries again only where nothing was proposed. The error is a
// *Rejection, ErrOutcomeUnknown, or says that nothing was written.
func (n *Node) propose(ctx context.Context, c command.Command) (command.Result, error) {
	if err := n.answering(); err != nil {
		return command.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	var result command.Result
	err := n.untilLeader(ctx, func() (err error) {
		if n.raft.State() == raft.Leader {
			if err := n.roomToWrite(); err != nil {
				return err
			}
			result, err = n.proposer.propose(ctx, c)
			return err
		}
		result, err = n.forward(ctx, c)
		return err
	})
	return result, err
}

// untilLeader repeats an attempt that found no leader until the context ends.
func (n *Node) untilLeader(ctx context.Context, attempt func() error) error {
	wait := 5 * time.Millisecond
	for {
		turn := n.turn.next()
		err := attempt()
		if !errors.Is(err, ErrNotLeader) || errors.Is(err, ErrOutcomeUnknown) {
			return err
		}
		if closed := n.answering(); closed != nil {
			return closed
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, 100*time.Millisecond)
		case <-turn: // another leads, or will
		case <-ctx.Done():
			return err
		case <-n.ctx.Done():
			return ErrClosed
		}
	}
}

// leaderAddress returns the cluster port of the leader, as far as this node knows one.
func (n *Node) leaderAddress() (string, error) {
	address, id := n.raft.LeaderWithID()
	if address == "" || string(id) == n.id || n.peers == nil {
		return "", ErrNotLeader
	}
	return string(address), nil
}

// forward sends a command to the leader, which never sends it on, and waits until
// this node has applied it too: who writes at a node and reads there sees the write.
func (n *Node) forward(ctx context.Context, c command.Command) (command.Result, error) {
	address, err := n.leaderAddress()
	if err != nil {
		return command.Result{}, err
	}
	entry, err := command.Entry{Commands: []command.Command{c}}.Encode()
	if err != nil {
		return command.Result{}, err
	}
	if len(entry) > maxCommandBytes {
		return command.Result{}, fmt.Errorf("%w: it has %d bytes, %d are the most", ErrTooLarge, len(entry), maxCommandBytes)
	}
	answer, err := n.peers.call(ctx, address, methodPropose, entry)
	switch {
	case err == nil:
	case errors.Is(err, errUnsent):
		return command.Result{}, notProposed(err)
	case errors.Is(err, errUnanswered):
		return command.Result{}, unknownOutcome(err)
	default: // the leader says what it knows of the outcome
		return command.Result{}, err
	}
	var result command.Result
	if err := json.Unmarshal(answer, &result); err != nil {
		return command.Result{}, unknownOutcome(fmt.Errorf("the leader's answer: %w", err))
	}
	if result.Rejection != nil {
		return result, result.Rejection
	}
	// The write stands whether or not this node catches up in time; its token
	// says to any reader how far to wait.
	if err := n.state.WaitApplied(ctx, result.Revision); err != nil {
		n.log.Debug("a forwarded write was not applied here in time", "revision", result.Revision, "cause", err)
	}
	return result, nil
}

// remoteIndex is a follower's part of a fully consistent read.
func (n *Node) remoteIndex(ctx context.Context) (leaderIndex, error) {
	address, err := n.leaderAddress()
	if err != nil {
		return leaderIndex{}, err
	}
	answer, err := n.peers.call(ctx, address, methodReadIndex, nil)
	if err != nil { // a read may be tried again whatever went wrong
		return leaderIndex{}, notProposed(err)
	}
	if len(answer) != 16 {
		return leaderIndex{}, fmt.Errorf("a read index of %d bytes", len(answer))
	}
	return leaderIndex{
		revision: tuple.Revision(binary.BigEndian.Uint64(answer)),
		last:     tuple.Revision(binary.BigEndian.Uint64(answer[8:])),
	}, nil
}

// handle answers what another member asks for. Where this node is not the leader
// it says so and passes nothing on.
func (n *Node) handle(ctx context.Context, m method, payload []byte) ([]byte, error) {
	if err := n.serving(); err != nil {
		return nil, err
	}
	switch m {
	case methodLastIndex:
		return binary.BigEndian.AppendUint64(nil, n.raft.LastIndex()), nil
	case methodSummary:
		return n.handleSummary(ctx, payload)
	case methodPing:
		return binary.BigEndian.AppendUint64(nil, uint64(n.state.AppliedRevision())), nil
	case methodFetch:
		return n.handleFetch(ctx, payload)
	case methodHeir:
		return n.handleHeir(ctx, string(payload))
	case methodClock:
		return binary.BigEndian.AppendUint64(nil, uint64(n.config.Clock().UnixNano())), nil
	}
	if n.raft.State() != raft.Leader {
		return nil, ErrNotLeader
	}
	switch m {
	case methodPropose:
		return n.handlePropose(ctx, payload)
	case methodReadIndex:
		index, err := n.localReads.join(ctx)
		if err != nil {
			return nil, err
		}
		answer := binary.BigEndian.AppendUint64(nil, uint64(index.revision))
		return binary.BigEndian.AppendUint64(answer, uint64(index.last)), nil
	case methodChange:
		return n.handleChange(ctx, payload)
	case methodRemove:
		return nil, n.removeMember(ctx, string(payload))
	}
	return nil, fmt.Errorf("this node does not know what method %d is: it runs an older build", m)
}

func (n *Node) handlePropose(ctx context.Context, payload []byte) ([]byte, error) {
	entry, err := command.Decode(payload)
	if err != nil {
		return nil, err
	}
	if len(entry.Commands) != 1 {
		return nil, fmt.Errorf("a forwarded entry has one command, not %d", len(entry.Commands))
	}
	if err := n.roomToWrite(); err != nil {
		return nil, err
	}
	result, err := n.proposer.propose(ctx, entry.Commands[0])
	if err != nil && result.Rejection == nil {
		return nil, err
	}
	return json.Marshal(result)
}
