package graph

import (
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Index is the graph of one store. Its zero value is of no use; call New.
type Index struct {
	seed        seed
	memory      *memory
	nodes       pages[node]
	lives       pages[nodeLife]
	versions    pages[version]
	runs        pages[run]
	words       words
	names       *table // objects to their nodes
	populations atomic.Pointer[map[populationKey]*population]
	setSlots    int // of a set's shard before it is split: maxSetSlots but in tests
	mostYoung   int // of what waits for Retain alone: the constant but in tests

	write    sync.Mutex // held by the one writer; guards what the fields above mark as the writer's, and these
	loading  bool       // nothing but Load has written: all is there since before every view
	live     int        // tuples not removed
	held     int        // versions in use
	objects  int        // nodes in use
	waiting  []waiting  // by moment: what waits until no view sees what was before
	limbo    []limbo    // by epoch: what waits until no reader stands in it
	sequence uint64     // of the write under way or just made
	epoch    uint64     // the current one; written under both mutexes

	views     sync.Mutex     // held for moments; guards these
	history   []written      // the revisions that views can still ask for, ascending; never empty
	retain    tuple.Revision // 0: nothing for its own sake
	floor     uint64         // the lowest sequence that a view can be opened at
	sequences pins           // of open views
	epochs    pins           // of open views

	stats atomic.Pointer[Stats]
}

// mostTuples bounds the tuples of an index, so that a list's places fit a cursor.
const mostTuples = 1 << 28

// written says that the index stood at a sequence from a revision on.
type written struct {
	revision tuple.Revision
	sequence uint64
	kept     bool // see View.Keep
}

// New returns an empty index, whose views see nothing at any revision.
func New() *Index { return newAt(1, 0) }

// newAt returns an index whose names are in 1<<depth shards at first.
func newAt(sequence uint64, depth uint) *Index {
	x := &Index{seed: newSeed(), memory: &memory{}, epoch: 1, floor: sequence, loading: true, setSlots: maxSetSlots, mostYoung: mostYoung}
	runtime.AddCleanup(x, (*memory).release, x.memory)
	x.sequence = sequence
	x.history = []written{{sequence: sequence}}
	x.populations.Store(&map[populationKey]*population{})
	x.names = newTable(depth, writerBlocks{x})
	x.stats.Store(&Stats{})
	return x
}

// writerBlocks are the blocks that the writer takes.
type writerBlocks struct{ x *Index }

func (b writerBlocks) take(size uint32) uint32        { return b.x.takeBlock(size) }
func (b writerBlocks) drop(start, size uint32)        { b.x.dropBlock(start, size) }
func (b writerBlocks) of(start, size uint32) []uint64 { return b.x.words.of(start, size) }

func (x *Index) takeBlock(size uint32) uint32 { return x.words.takeBlock(size, x.memory) }

// dropBlock gives a block up that no new reader can reach.
func (x *Index) dropBlock(start, size uint32) { x.retire(limboBlock, start, size) }

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
	x.loading = false
	for i := range changes {
		if changes[i].Remove {
			x.remove(&changes[i].Tuple, now)
		} else {
			x.add(&changes[i].Tuple, now)
		}
	}
	x.reclaim(1024+4*len(changes), lag)
	x.measure()
	return nil
}

// Load adds tuples as Apply does; goroutines may call it side by side, with one
// revision, to build a small index at once (Build makes a large one). What was
// before that revision the index does not know: older views are ErrReclaimed.
func (x *Index) Load(revision tuple.Revision, tuples []Tuple) error {
	x.write.Lock()
	defer x.write.Unlock()
	before := x.sequence
	now, err := x.enter(revision, len(tuples))
	if err != nil {
		return err
	}
	x.views.Lock()
	if x.sequence != before && x.live > 0 {
		x.loading = false // views may be open of what an earlier Load made
	}
	x.floor = max(x.floor, x.sequence)
	x.views.Unlock()
	for i := range tuples {
		x.add(&tuples[i], now)
	}
	x.free(len(x.limbo))
	x.measure()
	return nil
}

// enter gives a revision its moment.
func (x *Index) enter(revision tuple.Revision, changes int) (moment, error) {
	if x.live+changes > mostTuples || !x.versions.room(2*changes) || !x.lives.room(3*changes) ||
		int(x.runs.next)<<runBits+3*changes+int(len(*x.populations.Load()))<<runBits > maxNodes || !x.words.room(64*changes+1<<20) {
		return 0, ErrFull
	}
	x.views.Lock()
	defer x.views.Unlock()
	last := x.history[len(x.history)-1]
	if revision < last.revision {
		return 0, ErrOrder
	}
	if last.revision == revision {
		x.sequence = last.sequence
		return momentOf(last.sequence), nil
	}
	last = written{revision: revision, sequence: last.sequence + 1}
	if last.sequence-x.sequences.lowest(last.sequence) >= mostPinned {
		return 0, ErrPinned
	}
	x.history = append(x.history, last)
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

// Retain keeps what views from a revision on would see, although none is open, as
// long as that is not much (mostYoung) or one of them was kept (View.Keep).
// Without it the index keeps its newest revisions and what open views see.
func (x *Index) Retain(from tuple.Revision) {
	x.views.Lock()
	defer x.views.Unlock()
	x.retain = max(x.retain, from)
}

func (x *Index) keep(sequence uint64) {
	x.views.Lock()
	defer x.views.Unlock()
	x.history[x.at(sequence)].kept = true
}

// forget drops the history below a sequence, but for the entry that holds it.
func (x *Index) forget(sequence uint64) {
	if i := x.at(sequence); i > 0 && i >= len(x.history)/2 {
		x.history = slices.Clone(x.history[i:])
	}
}
