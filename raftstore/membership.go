package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A change of a member, as it is asked of the leader.
const (
	changePromote  = "promote"
	changeDemote   = "demote"
	changeTransfer = "transfer"
)

type memberChange struct {
	Change string `json:"change"`
	ID     string `json:"id"`
}

// Promote gives a replica a vote, once it has caught up. Errors: ErrUnknownMember,
// ErrLagging, ErrNotLeader, ErrOutcomeUnknown.
func (n *Node) Promote(ctx context.Context, id string) error { return n.change(ctx, changePromote, id) }

// Demote takes a member's vote: it follows and answers questions from then on.
// Errors: ErrUnknownMember, ErrLastMember, ErrQuorumAtRisk, ErrNotLeader,
// ErrOutcomeUnknown.
func (n *Node) Demote(ctx context.Context, id string) error { return n.change(ctx, changeDemote, id) }

// Transfer hands leadership to another member with a vote. Errors: ErrTransfer,
// ErrNotLeader, ErrOutcomeUnknown.
func (n *Node) Transfer(ctx context.Context) error { return n.change(ctx, changeTransfer, "") }

// Leave takes this node out of its cluster for good; a leader hands over first.
// Errors: as of Remove.
func (n *Node) Leave(ctx context.Context) error { return n.Remove(ctx, n.id) }

// RaiseFeature lets the cluster use what came with a feature level; 0 is this
// build's. There is no way back: older builds can not join any more. It returns
// the level that is in force. Errors: *Rejection (feature_level: a member's build
// does not know it), those of Write.
func (n *Node) RaiseFeature(ctx context.Context, level uint32) (uint32, error) {
	orDefault(&level, uint32(command.FeatureLevel))
	if level > command.FeatureLevel {
		return 0, fmt.Errorf("%w: this build knows level %d at most", ErrFeatureLevel, command.FeatureLevel)
	}
	if level > n.state.Feature() {
		if _, err := n.propose(ctx, command.Command{Body: &command.SetFeature{Level: level}}); err != nil {
			return 0, err
		}
	}
	return max(level, n.state.Feature()), nil
}

func (n *Node) change(ctx context.Context, what, id string) error {
	payload, err := json.Marshal(memberChange{what, id})
	if err != nil {
		return err
	}
	return n.atLeader(ctx, methodChange, payload, func(ctx context.Context) error { return n.changeMember(ctx, what, id) })
}

// atLeader does something where the leader is: here, or by asking it.
func (n *Node) atLeader(ctx context.Context, m method, payload []byte, here func(context.Context) error) error {
	if err := n.answering(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	return n.untilLeader(ctx, func() error {
		if n.raft.State() == raft.Leader {
			return here(ctx)
		}
		address, err := n.leaderAddress()
		if err != nil {
			return err
		}
		_, err = n.peers.call(ctx, address, m, payload)
		switch {
		case errors.Is(err, errUnsent):
			return notProposed(err)
		case errors.Is(err, errUnanswered):
			return unknownOutcome(err)
		}
		return err
	})
}

func (n *Node) handleChange(ctx context.Context, payload []byte) ([]byte, error) {
	var asked memberChange
	if err := json.Unmarshal(payload, &asked); err != nil {
		return nil, err
	}
	return nil, n.changeMember(ctx, asked.Change, asked.ID)
}

// changeMember is the leader's part.
func (n *Node) changeMember(ctx context.Context, what, id string) error {
	if what == changeTransfer {
		if err := n.transfer(ctx); err != nil {
			return fmt.Errorf("%w: %w", ErrTransfer, err)
		}
		return nil
	}
	servers, err := n.servers()
	if err != nil {
		return err
	}
	s := serverOf(servers, id)
	if s.ID == "" {
		return fmt.Errorf("%w: %q", ErrUnknownMember, id)
	}
	member, _ := n.recorded(id)
	member.ID, member.Raft, member.Voter = id, string(s.Address), what == changePromote
	member.Feature = max(member.Feature, n.state.Feature())
	switch {
	case what == changePromote && s.Suffrage != raft.Voter:
		if err := n.caughtUp(ctx, s); err != nil {
			return err
		}
		s.Suffrage = raft.Voter
		if err := n.putServer(s); err != nil {
			return err
		}
	case what == changeDemote && s.Suffrage == raft.Voter:
		if err := n.mayLose(ctx, servers, s); err != nil {
			return err
		}
		if id == n.id {
			return n.stepAside(ctx)
		}
		// Recorded first: a member that restarts in between does not ask for its vote back.
		if err := n.recordMember(ctx, member); err != nil {
			return err
		}
		if err := n.raft.DemoteVoter(s.ID, 0, joinStep).Error(); err != nil {
			return changeError(err)
		}
	case what != changePromote && what != changeDemote:
		return fmt.Errorf("this node does not know the change %q: it runs an older build", what)
	}
	return n.recordMember(ctx, member)
}

// stepAside has a successor do what a leader cannot do to itself.
func (n *Node) stepAside(ctx context.Context) error {
	if err := n.transfer(ctx); err != nil {
		return notProposed(err)
	}
	return ErrNotLeader
}

func changeError(err error) error {
	if errors.Is(err, raft.ErrNotLeader) {
		return notProposed(err)
	}
	return unknownOutcome(err)
}

// caughtUp waits until a member has applied what this leader has.
func (n *Node) caughtUp(ctx context.Context, s raft.Server) error {
	target := n.state.AppliedRevision()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		applied, err := n.hear(ctx, s)
		if err == nil && applied >= target {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ErrLagging, s.ID)
		}
	}
}

// pingTimeout is how long a member may take to say that it is there.
const pingTimeout = time.Second

// hear asks a member how far it is: an error means that it does not answer.
func (n *Node) hear(ctx context.Context, s raft.Server) (tuple.Revision, error) {
	if string(s.ID) == n.id {
		return n.state.AppliedRevision(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	answer, err := n.peers.call(ctx, string(s.Address), methodPing, nil)
	if err == nil && len(answer) != 8 {
		err = errUnanswered
	}
	if err != nil {
		return 0, err
	}
	return tuple.Revision(binary.BigEndian.Uint64(answer)), nil
}

// heard asks members all at once, and returns who answers.
func (n *Node) heard(ctx context.Context, servers []raft.Server) map[raft.ServerID]bool {
	answers := make(chan raft.ServerID, len(servers))
	for _, s := range servers {
		go func() { // awaited below
			if _, err := n.hear(ctx, s); err != nil {
				s.ID = ""
			}
			answers <- s.ID
		}()
	}
	all := map[raft.ServerID]bool{}
	for range servers {
		if id := <-answers; id != "" {
			all[id] = true
		}
	}
	return all
}

// mayLose refuses to take a vote away where those that are left could elect
// nobody: fewer of them answer than a majority is.
func (n *Node) mayLose(ctx context.Context, servers []raft.Server, gone raft.Server) error {
	left := slices.DeleteFunc(slices.Clone(servers), func(s raft.Server) bool { return s.ID == gone.ID || s.Suffrage != raft.Voter })
	if len(left) == 0 {
		return ErrLastMember
	}
	if there := len(n.heard(ctx, left)); there < len(left)/2+1 {
		return fmt.Errorf("%w: of the %d that would be left with a vote, %d answer", ErrQuorumAtRisk, len(left), there)
	}
	return nil
}

// announceLoop tells the leader what is new of this node since it joined, as after
// an upgrade: the feature level that its build knows, its URL, the name of its
// certificate. A leader records itself.
func (n *Node) announceLoop(ctx context.Context) {
	select {
	case <-n.ready:
	case <-ctx.Done():
		return
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		self, recorded := n.recorded(n.id)
		if !recorded || self.API == n.config.HTTPAddress && self.Name == n.name() && self.Feature >= command.FeatureLevel {
			return // who is not recorded joins
		}
		if address, err := n.leaderAddress(); err == nil {
			if request, err := json.Marshal(n.joinRequest(false)); err == nil {
				if _, err := n.askJoin(ctx, address, request); err != nil {
					n.log.Info("the cluster could not be told what is new of this node yet", "error", err)
				}
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}
