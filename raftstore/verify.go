package raftstore

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// part returns what is compared: a store's summary, or for "" the cluster's.
func part(s Summary, name string) StoreSummary {
	if name == "" {
		return StoreSummary{State: s.Cluster}
	}
	for _, st := range s.Stores {
		if st.Name == name {
			st.Fault = ""
			return st
		}
	}
	return StoreSummary{}
}

// Verification is what the members hold at one revision, recounted.
type Verification struct {
	Revision tuple.Revision
	Members  []MemberSummary // by id
	Equal    bool            // every member answered, found no fault, and holds the same
	Findings []string        // what is wrong; empty when Equal
}

// MemberSummary is what one member holds.
type MemberSummary struct {
	Member
	Summary Summary // zero where Err is not nil
	Err     error   // it did not answer, or could not read its data
}

// VerifyCluster makes every member recount all of its data at one revision, and
// compares them. It takes as long as the largest member needs, which answers
// requests meanwhile; the context bounds it. A member that finds itself damaged
// rebuilds itself afterwards. Errors: ErrNotLeader, ErrHalted, the context's.
func (n *Node) VerifyCluster(ctx context.Context) (Verification, error) {
	if err := n.answering(); err != nil {
		return Verification{}, err
	}
	index, err := n.readIndex(ctx)
	if err != nil {
		return Verification{}, err
	}
	servers, err := n.servers()
	if err != nil {
		return Verification{}, err
	}
	if _, ok := ctx.Deadline(); !ok { // the call of a member needs one
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, verifyTimeout)
		defer cancel()
	}
	v := Verification{Revision: index.revision, Members: make([]MemberSummary, len(servers))}
	known, _ := n.members()
	var asking sync.WaitGroup
	for i, s := range servers {
		asking.Go(func() {
			m := &v.Members[i]
			m.Member = Member{ID: string(s.ID), Address: string(s.Address)}
			for _, k := range known {
				if k.ID == m.ID {
					m.Member = k
				}
			}
			answer, err := n.askSummary(ctx, s, summaryRequest{Version: summaryVersion, Revision: index.revision, Recount: true})
			m.Summary, m.Err = answer.Summary, err
		})
	}
	asking.Wait()
	slices.SortFunc(v.Members, func(a, b MemberSummary) int { return strings.Compare(a.ID, b.ID) })
	v.judge()
	return v, ctx.Err()
}

// verifyTimeout bounds a verification whose context has no deadline.
const verifyTimeout = time.Hour

// judge compares every member with what most hold, store by store.
func (v *Verification) judge() {
	parts := []string{""} // "" is what concerns no store alone
	for i := range v.Members {
		m := &v.Members[i]
		if m.Err != nil {
			v.find(m, "it gave no answer: "+m.Err.Error())
			continue
		}
		for _, st := range m.Summary.Stores {
			if st.Fault != "" {
				v.find(m, "store "+st.Name+": "+st.Fault)
			}
			if !slices.Contains(parts, st.Name) {
				parts = append(parts, st.Name)
			}
		}
	}
	slices.Sort(parts)
	for _, part := range parts {
		v.judgePart(part)
	}
	v.Equal = len(v.Findings) == 0
}

func (v *Verification) find(m *MemberSummary, what string) {
	v.Findings = append(v.Findings, "member "+m.ID+": "+what)
}

func (v *Verification) judgePart(name string) {
	held, count := map[string]StoreSummary{}, map[StoreSummary]int{}
	for _, m := range v.Members {
		if m.Err == nil {
			held[m.ID] = part(m.Summary, name)
			count[held[m.ID]]++
		}
	}
	if len(count) < 2 {
		return
	}
	what := "store " + name
	if name == "" {
		what = "what concerns all stores (members, the list of stores, log time)"
	}
	for i := range v.Members {
		m := &v.Members[i]
		if mine, ok := held[m.ID]; ok && !usual(count, mine) {
			v.find(m, what+" is not what most members hold")
		}
	}
}

// usual says whether a value is the one that is counted most often.
func usual[T comparable](counts map[T]int, value T) bool {
	for other, n := range counts {
		if other != value && n >= counts[value] {
			return false
		}
	}
	return true
}
