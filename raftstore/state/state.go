// Package state is the replicated state machine of a node: what the Raft log's
// entries make of Badger, and what readers see of it. It knows nothing of Raft.
//
// Call Open first, feed Apply with the committed entries in order, and read
// through View. DESIGN.md has the key layout and the reasons.
package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Options says where a State lives.
type Options struct {
	Dir    string       // created when missing; belongs to this State alone
	Logger *slog.Logger // nil discards

	// HistoryBudget is the most tuples of a store whose past revisions can be
	// walked once the graph index has let go of them. 0 is DefaultHistoryBudget.
	HistoryBudget int

	// Retain is how far back, in log time, the graph indexes themselves answer,
	// unless much is written and nobody asks (View.Keep). What is removed stays in
	// memory for so long. 0 is DefaultRetain.
	Retain time.Duration

	// Boot names this boot of the system, for tests of a loss of power. "" asks
	// the system.
	Boot string
}

// Where Options says nothing.
const (
	DefaultHistoryBudget = 2_000_000
	DefaultRetain        = time.Minute
)

// Errors of this package.
var (
	// ErrStoreNotFound: no store of that name at that revision.
	ErrStoreNotFound = errors.New("the store does not exist")
	// ErrHistoryGone: the revision is below the history floor.
	ErrHistoryGone = errors.New("the revision is before the history that is kept")
	// ErrAhead: the revision has not been applied here yet.
	ErrAhead = errors.New("the revision has not been applied on this node yet")
	// ErrHistoryBudget: the store is too large to be read backwards below the head.
	ErrHistoryBudget = errors.New("the store is too large for this question about a past revision")
	// ErrCorrupt: what is on disk is not what was written; the node must not serve.
	ErrCorrupt = errors.New("the stored tuples do not match their digest")
	// ErrClosed: the State or View has been closed.
	ErrClosed = errors.New("the state is closed")
)

// RevisionError wraps ErrHistoryGone or ErrAhead with the bounds.
type RevisionError struct {
	Revision tuple.Revision // what was asked for
	Floor    tuple.Revision // the oldest that can be read
	Applied  tuple.Revision // the newest that can be read
	Err      error
}

// Error names no revision, which a tenant should not learn.
func (e *RevisionError) Error() string { return e.Err.Error() }

// Unwrap returns the sentinel.
func (e *RevisionError) Unwrap() error { return e.Err }

// State is the state machine. Apply, Import and Close may be called by one
// goroutine at a time each; everything else by many.
type State struct {
	options Options
	log     *slog.Logger

	writing sync.Mutex // held by who changes the state: Apply, Import, Close
	working            // guarded by writing

	persisting sync.Mutex // one Persist at a time
	cleaning   sync.Mutex // held by a step of the cleaner

	mu      sync.RWMutex // guards all below
	head    head
	gen     *generation
	pins    map[tuple.Revision]int // open views by revision
	waiters []waiter
	durable durable
	closed  bool
	suspect uint64 // see durable.Suspect

	snapshots int // open ones; the cleaner rests meanwhile, so that a stream is the same every time

	past past
	feed *feed

	unsettled map[*graph.Index]struct{} // what the settler has to look after
	retained  retained

	discarded tuple.Revision // what Badger was told; it may not go back

	dirty   chan struct{} // there may be something for the cleaner
	done    chan struct{} // closed by Close
	cleaned chan struct{} // closed when the cleaner has ended
	young   chan struct{} // there may be something for the settler
	settled chan struct{} // closed when the settler has ended
}

// working is what apply reads and writes: ahead of head while an entry is applied.
type working struct {
	index   tuple.Revision
	term    uint64
	time    int64 // log time, Unix nanoseconds
	floor   tuple.Revision
	feature uint32
	cluster command.ClusterID
	secret  command.Secret
	members map[string]command.Member
	tokens  map[command.TokenID]command.JoinToken
	byName  map[string]*store
	byID    map[storeID]*store // with the deleted ones that are not removed yet
	nextID  storeID
	memory  *memory // of idempotency keys
	base    Digest  // of all definitions, see definitions.go
	fault   error   // set once: nothing may be applied any more
}

// head is what readers see.
type head struct {
	revision tuple.Revision
	term     uint64
	time     int64
	floor    tuple.Revision
	feature  uint32
	cluster  command.ClusterID
	secret   command.Secret
	members  map[string]command.Member             // never changed in place
	tokens   map[command.TokenID]command.JoinToken // never changed in place
	stores   map[string]*store                     // guarded by State.mu like the rest
	all      map[storeID]*store
}

// waiter waits for a revision to be published.
type waiter struct {
	revision tuple.Revision
	done     chan struct{}
}

// Applied returns index and term of the last applied entry: Raft goes on behind it.
func (s *State) Applied() (index, term uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return uint64(s.head.revision), s.head.term
}

// AppliedRevision returns the newest revision that can be read.
func (s *State) AppliedRevision() tuple.Revision {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head.revision
}

// Floor returns the oldest revision that can be read.
func (s *State) Floor() tuple.Revision {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head.floor
}

// LogTime returns the log time of the newest revision.
func (s *State) LogTime() time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return time.Unix(0, s.head.time).UTC()
}

// Cluster returns the cluster's identity and sealing key; the zero id before ClusterInit.
func (s *State) Cluster() (command.ClusterID, command.Secret) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head.cluster, s.head.secret
}

// Feature returns the cluster's feature level.
func (s *State) Feature() uint32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head.feature
}

// Members returns the recorded nodes by id, sorted.
func (s *State) Members() []command.Member {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]command.Member, 0, len(s.head.members))
	for _, id := range slices.Sorted(maps.Keys(s.head.members)) {
		out = append(out, s.head.members[id])
	}
	return out
}

// Stores returns the stores sorted by name.
func (s *State) Stores() []command.StoreInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]command.StoreInfo, 0, len(s.head.stores))
	for _, name := range slices.Sorted(maps.Keys(s.head.stores)) {
		out = append(out, s.head.stores[name].info())
	}
	return out
}

// Store returns one store; ErrStoreNotFound where there is none.
func (s *State) Store(name string) (command.StoreInfo, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st, ok := s.head.stores[name]
	if !ok {
		return command.StoreInfo{}, fmt.Errorf("%w: %q", ErrStoreNotFound, name)
	}
	return st.info(), nil
}

// WaitApplied returns when a revision can be read, or with the context's error.
func (s *State) WaitApplied(ctx context.Context, rev tuple.Revision) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	if s.head.revision >= rev {
		s.mu.Unlock()
		return nil
	}
	w := waiter{revision: rev, done: make(chan struct{})}
	s.waiters = append(s.waiters, w)
	s.mu.Unlock()
	select {
	case <-w.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiters = slices.DeleteFunc(s.waiters, func(o waiter) bool { return o.done == w.done })
	switch {
	case s.head.revision >= rev:
		return nil
	case s.closed:
		return ErrClosed
	}
	return ctx.Err()
}

// wake tells who waits for the published revision. The caller holds mu.
func (s *State) wake() {
	s.waiters = slices.DeleteFunc(s.waiters, func(w waiter) bool {
		if w.revision > s.head.revision && !s.closed {
			return false
		}
		close(w.done)
		return true
	})
}

// halt records a local fault: from here on nothing is applied. Views go on.
func (s *State) halt(err error) error {
	if s.fault == nil {
		s.fault = err
		s.log.Error("applying stopped after a local fault", "error", err)
	}
	return s.fault
}
