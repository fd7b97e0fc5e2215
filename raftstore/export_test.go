package raftstore

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// WithBoot makes a node believe that the system was started anew when the name
// of the boot changes, as after a loss of power.
func (c Config) WithBoot(name string) Config {
	c.boot = name
	return c
}

// WithFreeSpace gives a node a disk whose free space a test decides.
func (c Config) WithFreeSpace(free func() int64) Config {
	c.freeSpace = func(string) (int64, error) { return free(), nil }
	return c
}

// LookAtSpace looks at the free space now.
func (n *Node) LookAtSpace() { n.lookAtSpace() }

// Isolate cuts a node off from Raft's messages of the other members, or lets it
// back in. Forwarded requests still pass.
func (n *Node) Isolate(on bool) { n.port.mute(on) }

// Fail makes a node meet a local fault.
func (n *Node) Fail(err error) { n.fsm.halt(err) }

// Diverge makes this node alone apply a write in the place of the next entry of
// the log, as a fault of apply or of memory would.
func (n *Node) Diverge(store string, w WriteRequest) error {
	index, term := n.state.Applied()
	_, err := n.state.Apply(index+1, term, command.Entry{Commands: []command.Command{{Store: store, Body: &w}}})
	return err
}

// Snapshot takes a snapshot now.
func (n *Node) Snapshot() error { return n.raft.Snapshot().Error() }

// Append puts entries into the log of a leader, past the proposer, which has only
// a few under way at a time.
func (n *Node) Append(count int) error {
	entry, err := command.Entry{Commands: []command.Command{{Body: &command.Marker{}}}}.Encode()
	for range count {
		n.raft.Apply(entry, 0)
	}
	return err
}

// Stall makes a node believe that its log's disk hangs, or that it is back.
func (n *Node) Stall(on bool) { n.diskStalled(on) }

// AskJoin asks a member to take in a node of a feature level.
func (n *Node) AskJoin(ctx context.Context, member, id, address string, feature uint32) error {
	request, err := json.Marshal(joinRequest{ID: id, Address: address, Feature: feature})
	if err == nil {
		_, err = n.askJoin(ctx, member, request)
	}
	return err
}

// WithNetwork puts a node's cluster port on a network of the test's.
func (c Config) WithNetwork(n network) Config {
	c.network = n
	return c
}

// WithTransport lets a test stand between Raft and its messages.
func (c Config) WithTransport(wrap func(raft.Transport) raft.Transport) Config {
	c.transport = wrap
	return c
}

// WithStoring calls a function before every append to the log.
func (c Config) WithStoring(storing func()) Config {
	c.storing = storing
	return c
}

// Stand makes a node stand for election at once.
func (n *Node) Stand() error { return n.stand() }

// TransferLeadership hands leadership over to any other member.
func (n *Node) TransferLeadership(ctx context.Context) error { return n.transfer(ctx) }

// RaftTransfer has Raft itself hand leadership over; nobody waits for it.
func (n *Node) RaftTransfer() { n.raft.LeadershipTransfer() }

// RecordFeature has the cluster believe that a member's build knows a level.
func (n *Node) RecordFeature(ctx context.Context, id string, level uint32) error {
	m, _ := n.recorded(id)
	m.Feature = level
	_, err := n.propose(ctx, command.Command{Body: &command.SetMember{Member: m}})
	return err
}

// OfFeature1 lets a cluster begin as an older build would have made it.
func (c Config) OfFeature1() Config {
	c.firstFeature = 1
	return c
}

// UseFeature makes the cluster use a level as if every member's build knew it.
func (n *Node) UseFeature(ctx context.Context, level uint32) error {
	self, _ := n.recorded(n.id)
	self.Feature = level
	for _, body := range []command.Body{&command.SetMember{Member: self}, &command.SetFeature{Level: level}} {
		if _, err := n.propose(ctx, command.Command{Body: body}); err != nil {
			return err
		}
	}
	return nil
}
