package raftstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Summary is what a node holds at one revision; StoreSummary of one store.
type (
	Summary      = state.Summary
	StoreSummary = state.StoreSummary
)

// summaryRequest asks a member what it holds at a revision.
type summaryRequest struct {
	Version  int            `json:"version"`
	Revision tuple.Revision `json:"revision"`
	Recount  bool           `json:"recount"` // on disk and in memory, store by store; else what apply has counted
}

// summaryAnswer is the member's summary, or where nothing was recounted a hash of it.
type summaryAnswer struct {
	Summary Summary `json:"summary,omitzero"`
	Hash    string  `json:"hash,omitzero"`
	Fault   string  `json:"fault,omitzero"` // why there is no answer
}

// summaryVersion is of what a summary sums up: other builds' are not compared.
const summaryVersion = 1

// compareTimeout bounds how long a member may take to reach the revision that is
// compared and to answer.
const compareTimeout = 5 * time.Second

// maxListedStores bounds the stores that one answer lists; more are folded into one.
const maxListedStores = 20_000

func hashOf(s Summary) (string, error) {
	text, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// fold makes one line of a list of stores that fits no answer.
func fold(s Summary) (Summary, error) {
	if len(s.Stores) <= maxListedStores {
		return s, nil
	}
	hash, err := hashOf(s)
	one := StoreSummary{Name: fmt.Sprintf("all %d stores", len(s.Stores)), State: hash, Fault: s.Fault()}
	for _, st := range s.Stores {
		one.Live, one.Quarantined = one.Live+st.Live, one.Quarantined+st.Quarantined
	}
	s.Stores = []StoreSummary{one}
	return s, err
}

// handleSummary answers another member.
func (n *Node) handleSummary(ctx context.Context, payload []byte) ([]byte, error) {
	var request summaryRequest
	if err := json.Unmarshal(payload, &request, json.RejectUnknownMembers(false)); err != nil {
		return nil, err
	}
	answer, err := n.summarize(ctx, request)
	if err != nil {
		answer.Fault = err.Error()
	}
	return json.Marshal(answer)
}

func (n *Node) summarize(ctx context.Context, request summaryRequest) (summaryAnswer, error) {
	if request.Version != summaryVersion {
		return summaryAnswer{}, errors.New("another build's summary: it cannot be compared")
	}
	if err := n.state.WaitApplied(ctx, request.Revision); err != nil {
		return summaryAnswer{}, fmt.Errorf("the revision was not reached in time: %w", err)
	}
	how := state.Kept
	if request.Recount {
		how = state.Recounted
	}
	found, err := n.state.Summary(ctx, request.Revision, how)
	if errors.Is(err, state.ErrCorrupt) {
		n.damaged(err)
	}
	if err != nil {
		return summaryAnswer{}, err
	}
	if !request.Recount {
		hash, err := hashOf(found)
		return summaryAnswer{Hash: hash}, err
	}
	if fault := found.Fault(); fault != "" {
		n.damaged(fmt.Errorf("%w: %s", state.ErrCorrupt, fault))
	}
	found, err = fold(found)
	return summaryAnswer{Summary: found}, err
}

// askSummary asks one member, this node included.
func (n *Node) askSummary(ctx context.Context, member raft.Server, request summaryRequest) (answer summaryAnswer, err error) {
	if string(member.ID) == n.id {
		return n.summarize(ctx, request)
	}
	payload, err := json.Marshal(request)
	if err != nil {
		return answer, err
	}
	if n.peers == nil {
		return answer, errUnsent
	}
	text, err := n.peers.call(ctx, string(member.Address), methodSummary, payload)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, err
	}
	if answer.Fault != "" {
		return answer, errors.New(answer.Fault)
	}
	return answer, nil
}

// compareLoop compares this node with the others from time to time, until the
// context ends. Each node judges itself alone: one that holds something else than
// most others rebuilds itself from them.
func (n *Node) compareLoop(ctx context.Context) {
	if n.config.CompareInterval < 0 {
		return
	}
	tick := time.NewTicker(n.config.CompareInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n.Ready() {
			n.compareRepeatedly(ctx)
		}
	}
}

// comparisons is how often in a row a difference must be seen before a node acts
// on it.
const comparisons = 3

func (n *Node) compareRepeatedly(ctx context.Context) {
	for i := range comparisons {
		verdict, detail := n.compare(ctx)
		switch {
		case verdict == same || ctx.Err() != nil:
			return
		case i < comparisons-1:
			n.log.Warn("this node holds something else than another; it is compared once more", "detail", detail)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		case verdict == outvoted:
			n.damaged(fmt.Errorf("%w: %s", ErrDiffers, detail))
		default:
			n.halt(fmt.Errorf("%w, and there is no majority that says which is right: %s; find out with pemba cluster verify, then start the right ones again and let the others join with an empty folder", ErrDiffers, detail))
		}
	}
}

// verdict is what a comparison comes to.
type verdict int

const (
	same     verdict = iota // or too few answered to say otherwise
	outvoted                // a majority holds the same, and it is something else than this node's
	split                   // members differ, and no majority agrees
)

// compare compares what apply has counted here and on the voters.
func (n *Node) compare(ctx context.Context) (verdict, string) {
	servers, err := n.servers()
	if err != nil {
		return same, ""
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	request := summaryRequest{Version: summaryVersion, Revision: n.state.AppliedRevision()}
	mine, err := n.summarize(ctx, request)
	if err != nil {
		return same, ""
	}
	hashes := map[string]string{} // by member
	voters := 0
	var mu sync.Mutex // guards hashes
	var asking sync.WaitGroup
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		asking.Go(func() {
			answer := mine
			if string(s.ID) != n.id {
				var err error
				if answer, err = n.askSummary(ctx, s, request); err != nil {
					n.log.Debug("a member could not be compared", "member", s.ID, "error", err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			hashes[string(s.ID)] = answer.Hash
		})
	}
	asking.Wait()
	return judgeHashes(mine.Hash, hashes, voters, request.Revision)
}

// judgeHashes says where a node stands among the voters that answered.
func judgeHashes(mine string, hashes map[string]string, voters int, at tuple.Revision) (verdict, string) {
	count := map[string]int{}
	var others []string
	for _, id := range slices.Sorted(maps.Keys(hashes)) {
		count[hashes[id]]++
		if hashes[id] != mine {
			others = append(others, id)
		}
	}
	detail := fmt.Sprintf("at revision %d it is not what %v hold", at, others)
	for hash, agree := range count {
		if agree > voters/2 {
			if hash == mine {
				return same, ""
			}
			return outvoted, detail
		}
	}
	if len(others) == 0 {
		return same, ""
	}
	return split, detail
}
