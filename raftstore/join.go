package raftstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// joinRequest asks for membership, or tells a new address.
type joinRequest struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	HTTP    string `json:"http"`
	Feature uint32 `json:"feature"`
	Voter   bool   `json:"voter"`   // with a vote now, since it has caught up
	Replica bool   `json:"replica"` // never with a vote
	Token   string `json:"token"`   // who is no member yet needs one
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
		if IsJoinRefusal(err) {
			n.refuse(fmt.Errorf("the cluster does not let this node join: %w", err))
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

// lookAround bounds how long a start waits to hear whose members it is to join.
const lookAround = time.Second

// checkCluster refuses a folder of one cluster and members to join of another:
// going on would leave the node in a cluster that its operator did not mean. A
// member that does not answer proves nothing.
func (n *Node) checkCluster() error {
	if n.port == nil || n.clusterID().IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, lookAround)
	defer cancel()
	found := make([]error, len(n.config.Join))
	var work sync.WaitGroup
	for i, address := range n.config.Join {
		work.Go(func() {
			conn, err := n.port.dial(ctx, address, prefacePeer)
			if err == nil {
				conn.Close()
			} else if errors.Is(err, ErrOtherCluster) {
				found[i] = fmt.Errorf("%s: %w", address, err)
			}
		})
	}
	work.Wait()
	return errors.Join(found...)
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
	if self, ok := n.recorded(n.id); ok && !self.Voter {
		return nil // a replica
	}
	_, err = n.requestJoin(ctx, true)
	return err
}

// recorded returns what the cluster keeps of a member beside Raft's configuration.
func (n *Node) recorded(id string) (command.Member, bool) {
	for _, m := range n.state.Members() {
		if m.ID == id {
			return m, true
		}
	}
	return command.Member{}, false
}

// refuse ends a node's attempts to join: Refused tells whoever runs it.
func (n *Node) refuse(err error) {
	n.setHindrance(err.Error())
	n.mu.Lock()
	n.refusal = err
	n.mu.Unlock()
	n.log.Error("this node does not become a member", "error", err)
	close(n.refused)
}

// Refused is closed where this node may not join, and that is final: WaitReady says
// why. The node holds nothing then and can be closed.
func (n *Node) Refused() <-chan struct{} { return n.refused }

// requestJoin asks the given members, and the leader that they name.
func (n *Node) requestJoin(ctx context.Context, voter bool) (joinAnswer, error) {
	request, err := json.Marshal(n.joinRequest(voter))
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

func (n *Node) joinRequest(voter bool) joinRequest {
	return joinRequest{
		ID: n.id, Address: n.port.Addr().String(), HTTP: n.config.HTTPAddress, Feature: command.FeatureLevel,
		Voter: voter, Replica: n.config.Replica, Token: n.config.JoinToken,
	}
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

// handleJoin takes a node in, or names the leader. from is whose certificate the
// node has shown.
func (n *Node) handleJoin(ctx context.Context, from pki.Identity, payload []byte) ([]byte, error) {
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
		return nil, fmt.Errorf("%w: this node has level %d, the cluster uses %d", ErrFeatureLevel, request.Feature, n.state.Feature())
	}
	if err := n.admit(ctx, from.Name, request); err != nil {
		return nil, err
	}
	return json.Marshal(joinAnswer{Applied: n.state.AppliedRevision()})
}

// admit takes a node in that shows a token, or hears what is new of a member. It
// changes the configuration of Raft first, which refuses an address that another
// member has, and then records the member.
func (n *Node) admit(ctx context.Context, name string, request joinRequest) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	now := serverOf(servers, request.ID)
	self := command.Member{
		ID: request.ID, Name: name, Raft: request.Address, API: request.HTTP, Voter: !request.Replica, Feature: request.Feature,
	}
	known, recorded := n.recorded(request.ID)
	switch {
	case now.ID == "":
		err = n.spendToken(ctx, request)
	case recorded && known.Name != "" && name != "" && known.Name != name:
		err = fmt.Errorf("%w: %s is %s, and not %s", ErrNameTaken, request.ID, known.Name, name)
	case recorded: // what it was told to be since counts
		self.Voter = known.Voter
	}
	if err != nil {
		return err
	}
	suffrage := now.Suffrage
	if now.ID == "" {
		suffrage = raft.Nonvoter
	}
	if request.Voter && self.Voter {
		suffrage = raft.Voter
	}
	if wanted := (raft.Server{ID: raft.ServerID(request.ID), Address: raft.ServerAddress(request.Address), Suffrage: suffrage}); wanted != now {
		if err := n.putServer(wanted); err != nil {
			return err
		}
	}
	return n.recordMember(ctx, self)
}

// serverOf returns what Raft knows of a member; zero where it knows none.
func serverOf(servers []raft.Server, id string) raft.Server {
	for _, s := range servers {
		if string(s.ID) == id {
			return s
		}
	}
	return raft.Server{}
}

// putServer adds a member to Raft's configuration, or changes its address or gives
// it a vote.
func (n *Node) putServer(s raft.Server) error {
	put := n.raft.AddNonvoter
	if s.Suffrage == raft.Voter {
		put = n.raft.AddVoter
	}
	err := put(s.ID, s.Address, 0, joinStep).Error()
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost):
		return notProposed(err)
	case err != nil:
		return fmt.Errorf("add the member %s at %s: %w", s.ID, s.Address, err)
	}
	return nil
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
// again. Errors: ErrUnknownMember, ErrLastMember, ErrQuorumAtRisk, ErrNotLeader,
// ErrOutcomeUnknown.
func (n *Node) Remove(ctx context.Context, id string) error {
	return n.atLeader(ctx, methodRemove, []byte(id), func(ctx context.Context) error { return n.removeMember(ctx, id) })
}

// removeMember is the leader's part. A leader that is to go hands over first, and
// its successor removes it.
func (n *Node) removeMember(ctx context.Context, id string) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	gone := serverOf(servers, id)
	if gone.ID == "" {
		return fmt.Errorf("%w: %q", ErrUnknownMember, id)
	}
	if gone.Suffrage == raft.Voter {
		if err := n.mayLose(ctx, servers, gone); err != nil {
			return err
		}
	}
	if id == n.id {
		return n.stepAside(ctx)
	}
	if err := n.raft.RemoveServer(raft.ServerID(id), 0, joinStep).Error(); err != nil {
		return changeError(err)
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
