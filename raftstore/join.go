package raftstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// joinRequest asks for membership, or tells a new address.
type joinRequest struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	HTTP    string `json:"http"`
	Feature uint32 `json:"feature"`
	Voter   bool   `json:"voter"` // with a vote: once it has caught up
}

// joinAnswer tells who the leader is, or what the new member has to catch up with.
type joinAnswer struct {
	Leader  string         `json:"leader"` // to ask instead; "" when this was the leader
	Applied tuple.Revision `json:"applied"`
}

// joinStep bounds one step of joining.
const joinStep = 10 * time.Second

// joinLoop joins until it has worked or the node closes.
func (n *Node) joinLoop(ctx context.Context) {
	wait := 50 * time.Millisecond
	for ctx.Err() == nil {
		err := n.joinOnce(ctx)
		if err == nil {
			n.log.Info("joined the cluster", "address", n.port.Addr().String())
			n.setHindrance("")
			return
		}
		n.setHindrance("joining the cluster: " + err.Error())
		n.log.Warn("could not join the cluster yet", "error", err)
		select {
		case <-time.After(wait):
			wait = min(2*wait, 2*time.Second)
		case <-ctx.Done():
		}
	}
}

// joinOnce becomes a member without a vote, catches up, and then gets a vote: so
// a slow newcomer never counts for a majority.
func (n *Node) joinOnce(ctx context.Context) error {
	answer, err := n.requestJoin(ctx, false)
	if err != nil {
		return err
	}
	caughtUp, cancel := context.WithTimeout(ctx, 10*joinStep)
	defer cancel()
	if err := n.state.WaitApplied(caughtUp, max(answer.Applied, 1)); err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	_, err = n.requestJoin(ctx, true)
	return err
}

// requestJoin asks the given members, and the leader that they name.
func (n *Node) requestJoin(ctx context.Context, voter bool) (joinAnswer, error) {
	request, err := json.Marshal(joinRequest{
		ID: n.id, Address: n.port.Addr().String(), HTTP: n.config.HTTPAddress, Feature: command.FeatureLevel, Voter: voter,
	})
	if err != nil {
		return joinAnswer{}, err
	}
	var failed []error
	for _, address := range n.config.Join {
		answer, err := n.askJoin(ctx, address, request)
		if err == nil && answer.Leader != "" {
			answer, err = n.askJoin(ctx, answer.Leader, request)
		}
		if err == nil && answer.Leader == "" {
			return answer, nil
		}
		if err == nil {
			err = ErrNotLeader
		}
		failed = append(failed, fmt.Errorf("%s: %w", address, err))
	}
	return joinAnswer{}, errors.Join(failed...)
}

func (n *Node) askJoin(ctx context.Context, address string, request []byte) (joinAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, joinStep)
	defer cancel()
	text, err := n.peers.call(ctx, address, methodJoin, request)
	if err != nil {
		return joinAnswer{}, err
	}
	var answer joinAnswer
	return answer, json.Unmarshal(text, &answer)
}

// handleJoin takes a node in, or names the leader.
func (n *Node) handleJoin(ctx context.Context, payload []byte) ([]byte, error) {
	var request joinRequest
	if err := json.Unmarshal(payload, &request, json.RejectUnknownMembers(false)); err != nil {
		return nil, err
	}
	if request.ID == "" || request.Address == "" {
		return nil, errors.New("a node that joins names its id and its address")
	}
	if n.raft.State() != raft.Leader {
		address, err := n.leaderAddress()
		if err != nil {
			return nil, err
		}
		return json.Marshal(joinAnswer{Leader: address})
	}
	if request.Feature < n.state.Feature() {
		return nil, fmt.Errorf("%w: it has level %d, the cluster uses %d", ErrFeatureLevel, request.Feature, n.state.Feature())
	}
	if err := n.admit(ctx, request); err != nil {
		return nil, err
	}
	return json.Marshal(joinAnswer{Applied: n.state.AppliedRevision()})
}

// admit changes the configuration of Raft first, which refuses an address that
// another member has, and then records the member.
func (n *Node) admit(ctx context.Context, request joinRequest) error {
	add := n.raft.AddNonvoter
	if request.Voter {
		add = n.raft.AddVoter
	}
	if err := add(raft.ServerID(request.ID), raft.ServerAddress(request.Address), 0, joinStep).Error(); err != nil {
		if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) {
			return notProposed(err)
		}
		return fmt.Errorf("add the member %s at %s: %w", request.ID, request.Address, err)
	}
	return n.recordMember(ctx, command.Member{
		ID: request.ID, Raft: request.Address, API: request.HTTP, Voter: request.Voter, Feature: request.Feature,
	})
}

// recordMember keeps what Raft's own configuration does not hold, where it is news.
func (n *Node) recordMember(ctx context.Context, m command.Member) error {
	for _, known := range n.state.Members() {
		if known == m {
			return nil
		}
	}
	_, err := n.proposer.propose(ctx, command.Command{Body: &command.SetMember{Member: m}})
	return err
}

// Remove takes a member out of the cluster for good. Its folder must not be used
// again. Errors: ErrUnknownMember, ErrLastMember, ErrNotLeader, ErrOutcomeUnknown.
func (n *Node) Remove(ctx context.Context, id string) error {
	if err := n.answering(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	return n.untilLeader(ctx, func() error {
		if n.raft.State() == raft.Leader {
			return n.removeMember(ctx, id)
		}
		address, err := n.leaderAddress()
		if err != nil {
			return err
		}
		_, err = n.peers.call(ctx, address, methodRemove, []byte(id))
		switch {
		case errors.Is(err, errUnsent):
			return notProposed(err)
		case errors.Is(err, errUnanswered):
			return unknownOutcome(err)
		}
		return err
	})
}

// removeMember is the leader's part. A leader that is to go hands over first, and
// its successor removes it.
func (n *Node) removeMember(ctx context.Context, id string) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	found := false
	for _, s := range servers {
		found = found || string(s.ID) == id
	}
	if !found {
		return fmt.Errorf("%w: %q", ErrUnknownMember, id)
	}
	if id == n.id {
		if len(servers) == 1 {
			return ErrLastMember
		}
		if err := n.transfer(ctx); err != nil {
			return notProposed(err)
		}
		return ErrNotLeader
	}
	if err := n.raft.RemoveServer(raft.ServerID(id), 0, joinStep).Error(); err != nil {
		if errors.Is(err, raft.ErrNotLeader) {
			return notProposed(err)
		}
		return unknownOutcome(err)
	}
	_, err = n.proposer.propose(ctx, command.Command{Body: &command.SetMember{Member: command.Member{ID: id}, Remove: true}})
	return err
}

// servers returns the members as Raft knows them.
func (n *Node) servers() ([]raft.Server, error) {
	future := n.raft.GetConfiguration()
	if err := future.Error(); err != nil {
		return nil, err
	}
	return future.Configuration().Servers, nil
}
