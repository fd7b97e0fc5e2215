package raftstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// A process that ends takes its connections with it, and its port refuses new ones.
// So the other members need not wait for Raft's timeouts to know that the leader is
// gone: a majority that finds its port closed lets the one with the longest log
// stand for election.
const (
	lookAgain   = 20 * time.Millisecond  // between two looks at a leader
	lookTimeout = 100 * time.Millisecond // of one question
	voteTimeout = 200 * time.Millisecond // how long somebody who stands is given
)

// successionLoop looks at the leader whenever a connection of Raft's came to its end.
func (n *Node) successionLoop(ctx context.Context) {
	for {
		select {
		case <-n.port.lost:
			n.succeed(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// succeed finds out whether the leader's process is gone, and if so stands for
// election, or leaves it to a member that knows more. After an election timeout
// Raft does it by itself.
func (n *Node) succeed(ctx context.Context) {
	_, leader := n.raft.LeaderWithID()
	if leader == "" || string(leader) == n.id {
		return
	}
	term, began := n.raft.CurrentTerm(), time.Now()
	ctx, cancel := context.WithTimeout(ctx, n.config.HeartbeatTimeout+n.config.ElectionTimeout)
	defer cancel()
	for pause := time.Duration(0); ; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if _, now := n.raft.LeaderWithID(); now != leader && now != "" || n.raft.State() != raft.Follower {
			return // a candidate tries again by itself, and not before its time
		}
		if now := n.raft.CurrentTerm(); now > term { // somebody stands
			term, pause = now, voteTimeout
			continue
		}
		pause = lookAgain
		servers, err := n.servers()
		if err != nil || serverOf(servers, n.id).Suffrage != raft.Voter || n.serving() != nil {
			return
		}
		gone, err := n.processGone(ctx, serverOf(servers, string(leader)))
		if err == nil && !gone {
			return
		}
		if !gone || !n.mayStand(ctx, servers, leader) {
			continue
		}
		n.log.Info("the leader's process is gone: this node stands for election", "leader", string(leader), "term", term+1, "after", time.Since(began))
		if err := n.stand(); err != nil {
			n.log.Info("this node could not stand for election", "error", err)
		}
		pause = voteTimeout
	}
}

// processGone says whether nothing listens any more where a member did; an error,
// that it cannot be told.
func (n *Node) processGone(ctx context.Context, s raft.Server) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	_, err := n.peers.call(ctx, string(s.Address), methodPing, nil)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return true, nil
	case errors.Is(err, errUnsent), errors.Is(err, errUnanswered):
		return false, err
	}
	return false, nil // also where it answers with an error
}

// stand makes Raft stand for election at once. It is what a leader that hands over
// asks of its successor: who is asked for a vote gives it even where the old leader
// is not missed yet.
func (n *Node) stand() error {
	return n.transport.TimeoutNow(raft.ServerID(n.id), n.transport.LocalAddr(), n.timeoutNow(), new(raft.TimeoutNowResponse))
}

func (n *Node) timeoutNow() *raft.TimeoutNowRequest {
	return &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax,
		ID:              []byte(n.id),
		Addr:            n.transport.EncodePeer(raft.ServerID(n.id), n.transport.LocalAddr()),
	}}
}

// mayStand asks the other voters whether they, too, find the leader gone, and how
// far their logs reach. This node may stand where a majority agrees, itself
// included, and none of those who answer would make a better leader.
func (n *Node) mayStand(ctx context.Context, servers []raft.Server, leader raft.ServerID) bool {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	voters, agreed, best := 0, 1, true
	found := make(chan heir, len(servers))
	asked := 0
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		if voters++; s.ID == leader || string(s.ID) == n.id {
			continue
		}
		asked++
		go func() { // awaited below
			h, err := n.askHeir(ctx, s, leader)
			if err != nil {
				h = heir{}
			}
			found <- h
		}()
	}
	mine := n.heir()
	for range asked {
		if h := <-found; h.id != "" {
			agreed++
			best = best && mine.compare(h) > 0
		}
	}
	return agreed > voters/2 && best
}

// heir is a member that may lead, and where its log ends.
type heir struct {
	term, index uint64
	id          string
}

func (h heir) compare(other heir) int {
	return cmp.Or(cmp.Compare(h.term, other.term), cmp.Compare(h.index, other.index), cmp.Compare(h.id, other.id))
}

func (n *Node) heir() heir {
	stats := n.raft.Stats()
	term, _ := strconv.ParseUint(stats["last_log_term"], 10, 64)
	index, _ := strconv.ParseUint(stats["last_log_index"], 10, 64)
	return heir{term, index, n.id}
}

func (n *Node) askHeir(ctx context.Context, s raft.Server, leader raft.ServerID) (heir, error) {
	answer, err := n.peers.call(ctx, string(s.Address), methodHeir, []byte(leader))
	if err != nil {
		return heir{}, err
	}
	if len(answer) != 16 {
		return heir{}, fmt.Errorf("the end of a log in %d bytes", len(answer))
	}
	return heir{binary.BigEndian.Uint64(answer), binary.BigEndian.Uint64(answer[8:]), string(s.ID)}, nil
}

// errLeaderThere is the answer to who takes the leader for gone, and is wrong.
var errLeaderThere = errors.New("the leader is not gone")

// handleHeir answers where this node's log ends, if it finds the leader gone, too.
func (n *Node) handleHeir(ctx context.Context, leader string) ([]byte, error) {
	servers, err := n.servers()
	if err != nil {
		return nil, err
	}
	s := serverOf(servers, leader)
	if _, known := n.raft.LeaderWithID(); s.ID == "" || leader == n.id || known != "" && string(known) != leader {
		return nil, errLeaderThere
	}
	if gone, err := n.processGone(ctx, s); err != nil || !gone {
		return nil, cmp.Or(err, errLeaderThere)
	}
	n.port.suspect()
	mine := n.heir()
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, mine.term), mine.index), nil
}
