package raftstore

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// leadLoop runs lead for as long as this node is the leader.
func (n *Node) leadLoop(ctx context.Context) {
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case leading := <-n.raft.LeaderCh():
			stop()
			stop = func() {}
			if leading {
				stop = n.startLeading(ctx)
			}
		case <-ctx.Done():
			return
		}
	}
}

// startLeading returns a function that ends the leader's duties and waits for it.
func (n *Node) startLeading(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	n.background.Go(func() {
		defer close(done)
		var attending sync.WaitGroup
		attending.Go(func() { n.attendLoop(ctx) })
		n.lead(ctx)
		attending.Wait()
	})
	return func() {
		cancel()
		<-done
	}
}

// lead does what only a leader does: it marks its term, so that it knows all that
// was committed before, gives the cluster its identity where it has none, and
// then cleans up from time to time.
func (n *Node) lead(ctx context.Context) {
	began := time.Now()
	for ctx.Err() == nil {
		err := n.rebuildCause()
		if err != nil { // it could apply nothing
			n.handOver()
		} else {
			err = n.beginTerm(ctx)
		}
		if err == nil {
			n.log.Info("all that former leaders committed is applied here", "term", n.raft.CurrentTerm(), "took", time.Since(began))
			n.collectLoop(ctx)
			return
		}
		n.log.Info("the leader could not begin its term yet", "error", err)
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (n *Node) beginTerm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.config.MaxWait)
	defer cancel()
	if err := n.askClocks(ctx, clockHurry, true); err != nil { // the log's time shall not follow a wrong clock
		n.log.Debug("the leader's clock could not be compared", "error", err)
	}
	if _, err := n.proposer.propose(ctx, command.Command{Body: &command.Marker{}}); err != nil {
		return err
	}
	// Everything that earlier leaders committed is applied from here.
	if err := n.recordSelf(ctx); err != nil {
		return err
	}
	if id, _ := n.state.Cluster(); !id.IsZero() {
		return nil
	}
	// A new cluster has no older build that would have to follow. Its identity comes
	// last: nodes are ready once they know it.
	if _, err := n.proposer.propose(ctx, command.Command{Body: &command.SetFeature{Level: n.config.firstFeature}}); err != nil {
		return err
	}
	var init command.ClusterInit
	rand.Read(init.ID[:]) // never fails
	rand.Read(init.Key[:])
	_, err := n.proposer.propose(ctx, command.Command{Body: &init})
	return err
}

// recordSelf tells the cluster this node's addresses where they changed.
func (n *Node) recordSelf(ctx context.Context) error {
	address := raft.ServerAddress(n.address())
	servers, err := n.servers()
	if err != nil {
		return err
	}
	for _, s := range servers {
		if string(s.ID) == n.id && s.Address != address {
			if err := n.raft.AddVoter(s.ID, address, 0, joinStep).Error(); err != nil {
				return err
			}
		}
	}
	return n.recordMember(ctx, command.Member{
		ID: n.id, Name: n.name(), Raft: string(address), API: n.config.HTTPAddress, Voter: true, Feature: command.FeatureLevel,
	})
}
