package state

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A write settles in the graph index what earlier ones left there, and who writes
// no more leaves the last of it. The settler settles that: a step is short, since
// a write waits for it, and steps come apart, since readers want the core.
const (
	settleStep  = 512 // pieces of work
	settlePause = time.Millisecond
	settleEvery = time.Second
)

// settler looks after the indexes that were written to until nothing waits in
// them. It ends when done is closed.
func (s *State) settler() {
	defer close(s.settled)
	every := min(settleEvery, max(s.options.Retain/4, settlePause))
	for {
		select {
		case <-s.done:
			return
		case <-s.young:
		}
		for s.settle() {
			if !s.rest(every) {
				return
			}
		}
	}
}

// rest waits, and says whether the State is still open.
func (s *State) rest(d time.Duration) bool {
	select {
	case <-s.done:
		return false
	case <-time.After(d):
		return true
	}
}

// settle settles what nobody is to be shown otherwise any more, and says whether
// something is left for later.
func (s *State) settle() bool {
	s.mu.RLock()
	head := s.head.revision
	indexes := slices.Collect(maps.Keys(s.unsettled))
	s.mu.RUnlock()
	from := s.retained.elapse(head, int64(s.options.Retain))
	for _, index := range indexes {
		for index.Settle(from, settleStep) {
			if !s.rest(settlePause) {
				return false
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range indexes {
		if index.Stats().Retired == 0 { // apply adds it again after it writes
			delete(s.unsettled, index)
		}
	}
	return len(s.unsettled) > 0
}

// unsettle tells the settler of an index that was written to. The caller holds mu.
func (s *State) unsettle(index *graph.Index) {
	s.unsettled[index] = struct{}{}
	select {
	case s.young <- struct{}{}:
	default:
	}
}

// retained knows from which revision on the graph indexes shall answer. Its time
// is the log's, so that entries which are replayed are as old as they are, and goes
// on by this node's clock while none comes.
type retained struct {
	mu    sync.Mutex // guards all below
	marks []retainMark
	time  int64     // nanoseconds
	seen  time.Time // when it was that time; zero before the first entry
}

type retainMark struct {
	revision tuple.Revision
	time     int64
}

// retainStep is how far apart in time the marks are.
const retainStep = int64(time.Second)

// advance notes an entry with its log time, and returns the newest mark that is at
// least window old.
func (r *retained) advance(rev tuple.Revision, logTime, window int64) tuple.Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mark(rev, logTime, window)
}

// elapse is advance while no entry comes. rev is the newest that can be read, and
// what it returns is not newer.
func (r *retained) elapse(rev tuple.Revision, window int64) tuple.Revision {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen.IsZero() {
		return 0
	}
	return min(rev, r.mark(rev, r.time, window))
}

// mark notes that rev is the newest at a time or later. The caller holds mu.
func (r *retained) mark(rev tuple.Revision, at, window int64) tuple.Revision {
	now := time.Now()
	if !r.seen.IsZero() {
		r.time += int64(now.Sub(r.seen))
	}
	r.time, r.seen = max(r.time, at), now
	if n := len(r.marks); n == 0 || rev > r.marks[n-1].revision && r.time-r.marks[n-1].time >= min(retainStep, window) {
		r.marks = append(r.marks, retainMark{rev, r.time})
	}
	for len(r.marks) > 1 && r.time-r.marks[1].time >= window {
		r.marks = r.marks[1:]
	}
	return r.marks[0].revision
}

// forget begins anew, for another state's revisions.
func (r *retained) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marks, r.time, r.seen = nil, 0, time.Time{}
}
