package graph

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Index is the graph of one store. Its zero value is of no use; call New.
type Index struct {
	seed  seed
	texts texts
	nodes pages[node]
	edges pages[edge]
	lists pages[list]
	words words

	byID     *table    // (type, id) to the newest node
	byKey    *table    // (object, relation, subject) to the newest edge
	byType   adjacency // type to nodes
	forward  adjacency // (object, relation, userset or not) to edges
	backward adjacency // (subject, relation) to edges

	write    sync.Mutex // held by the one writer; guards what the fields above mark as the writer's, and these
	live     int        // edges not removed
	retired  []retired  // by moment of removal: what waits until no view sees it
	limbo    []limbo    // by epoch: what waits until no reader stands in it
	sequence uint64     // of the write under way or just made
	sweepAt  uint64     // the sequence to sweep at next
	epoch    uint64     // the current one; written under both mutexes

	views     sync.Mutex // held for moments; guards these
	history   []written  // the revisions that views can still ask for, ascending; never empty
	retain    tuple.Revision
	floor     uint64 // the lowest sequence that a view can be opened at
	sequences pins   // of open views
	epochs    pins   // of open views

	stats atomic.Pointer[Stats]
}

// written says that the index stood at a sequence from a revision on.
type written struct {
	revision tuple.Revision
	sequence uint64
}

// New returns an empty index, whose views see nothing at any revision.
func New() *Index { return newAt(1) }

func newAt(sequence uint64) *Index {
	x := &Index{seed: newSeed(), byID: newTable(), byKey: newTable(), epoch: 1, floor: sequence}
	x.sequence, x.sweepAt = sequence, sequence+sweepEvery
	x.history = []written{{0, sequence}}
	base := adjacency{lists: &x.lists, words: &x.words, seed: x.seed, retire: x.retire}
	x.byType, x.forward, x.backward = base, base, base
	x.byType.table, x.forward.table, x.backward.table = newTable(), newTable(), newTable()

	x.byType.key = func(i uint32) (uint32, uint32) { return x.nodes.at(i).kind, 0 }
	x.byType.place = func(i uint32) *uint32 { return &x.nodes.at(i).place }
	x.forward.key = func(i uint32) (uint32, uint32) {
		e := x.edges.at(i)
		return forwardKey(e.object, e.relation, e.subjectRelation != 0)
	}
	x.forward.place = func(i uint32) *uint32 { return &x.edges.at(i).forward }
	x.backward.key = func(i uint32) (uint32, uint32) {
		e := x.edges.at(i)
		return e.subject, e.subjectRelation
	}
	x.backward.place = func(i uint32) *uint32 { return &x.edges.at(i).backward }
	x.stats.Store(&Stats{})
	return x
}

// Apply makes changes, in their order, part of a revision. Revisions never go
// down; several calls may make one revision, and no view of it may be opened
// before the last of them. To add what is there, or remove what is not, changes
// nothing. An error (ErrOrder, ErrFull, ErrPinned) comes before any change.
func (x *Index) Apply(revision tuple.Revision, changes []Change) error {
	x.write.Lock()
	defer x.write.Unlock()
	now, err := x.enter(revision, len(changes))
	if err != nil {
		return err
	}
	for i := range changes {
		if changes[i].Remove {
			x.remove(&changes[i].Tuple, now)
		} else {
			x.add(&changes[i].Tuple, now)
		}
	}
	x.reclaim(1024 + 4*len(changes))
	x.measure()
	return nil
}

// Load adds tuples as Apply does; goroutines may call it side by side, with one
// revision, to build the index at start. What was before that revision the
// index does not know: older views are ErrReclaimed.
func (x *Index) Load(revision tuple.Revision, tuples []Tuple) error {
	x.write.Lock()
	defer x.write.Unlock()
	now, err := x.enter(revision, len(tuples))
	if err != nil {
		return err
	}
	x.views.Lock()
	x.floor = max(x.floor, x.sequence)
	x.views.Unlock()
	for i := range tuples {
		x.add(&tuples[i], now)
	}
	x.measure()
	return nil
}

// enter gives a revision its moment.
func (x *Index) enter(revision tuple.Revision, changes int) (moment, error) {
	if !x.edges.room(changes, listBit) || !x.nodes.room(3*changes, maxNodes) ||
		!x.words.room(3*changes) || !x.texts.room() {
		return 0, ErrFull
	}
	x.views.Lock()
	last := x.history[len(x.history)-1]
	x.views.Unlock()
	if revision < last.revision {
		return 0, ErrOrder
	}
	if last.revision == revision {
		x.sequence = last.sequence
		return momentOf(last.sequence), nil
	}
	last = written{revision, last.sequence + 1}
	if err := x.sweep(last.sequence); err != nil {
		return 0, err
	}
	x.views.Lock()
	x.history = append(x.history, last)
	x.views.Unlock()
	x.sequence = last.sequence
	return momentOf(last.sequence), nil
}

// View opens a view of a revision, which all changes up to it must have been
// applied for. It is pinned until Close: what it sees stays, and so does its
// memory. ErrReclaimed when the index no longer holds that revision.
func (x *Index) View(revision tuple.Revision) (*View, error) {
	x.views.Lock()
	defer x.views.Unlock()
	after := sort.Search(len(x.history), func(i int) bool { return x.history[i].revision > revision })
	if after == 0 || x.history[after-1].sequence < x.floor {
		return nil, ErrReclaimed
	}
	v := &View{x: x, revision: revision, sequence: x.history[after-1].sequence, epoch: x.epoch}
	v.at = momentOf(v.sequence)
	x.sequences.hold(v.sequence)
	x.epochs.hold(v.epoch)
	return v, nil
}

func (x *Index) release(v *View) {
	x.views.Lock()
	defer x.views.Unlock()
	x.sequences.release(v.sequence)
	x.epochs.release(v.epoch)
}

// Retain keeps what views from a revision on would see, although none is open.
// Without it the index keeps its newest revision and what open views see.
func (x *Index) Retain(from tuple.Revision) {
	x.views.Lock()
	defer x.views.Unlock()
	x.retain = max(x.retain, from)
}

// forget drops the history below a sequence, but for the entry that holds it.
func (x *Index) forget(sequence uint64) {
	i := sort.Search(len(x.history), func(i int) bool { return x.history[i].sequence > sequence })
	if i > 1 && i-1 >= len(x.history)/2 {
		x.history = slices.Clone(x.history[i-1:])
	}
}
