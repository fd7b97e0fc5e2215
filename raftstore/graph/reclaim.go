package graph

import (
	"sort"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// What a write leaves behind goes three ways: it waits until every view sees it
// as written (then a tuple that was added needs no record any more, and one that
// was removed no entry), what it replaces is in limbo until the readers that may
// stand in it are gone, and then it is free.

type waitingKind uint8

const (
	tupleAdded waitingKind = iota
	tupleRemoved
	nodeAdded
	nodeRemoved
)

type waiting struct {
	sequence uint64 // of the write
	number   uint32 // of the version or lifetime
	kind     waitingKind
}

type limboKind uint8

const (
	limboVersion limboKind = iota
	limboLife
	limboNode
	limboBlock
)

type limbo struct {
	epoch  uint64 // the one in which it was unlinked
	number uint32
	size   uint32 // of a block
	kind   limboKind
}

const (
	// lag is how many writes back a view can be opened without Retain, so that a
	// reader that has just learned the newest revision finds it though another
	// write came in between.
	lag = 16
	// mostYoung is how much may wait only because Retain says so: a bulk load would
	// leave a version for each of its tuples, and all of them in the way of checks.
	mostYoung = 1 << 16
	// mostPinned keeps moments comparable: see moment. What waits is settled faster
	// than it comes, so no moment that is kept is twice as old.
	mostPinned = 1 << 29
)

// remember makes what the current sequence wrote wait.
func (x *Index) remember(kind waitingKind, i uint32) {
	x.waiting = append(x.waiting, waiting{x.sequence, i, kind})
}

func (x *Index) retire(kind limboKind, i, size uint32) {
	x.limbo = append(x.limbo, limbo{x.epoch, i, size, kind})
}

// raiseFloor raises the lowest sequence that views can be opened at as far as
// nobody needs what is below, and returns it. The newest back writes stay.
func (x *Index) raiseFloor(back uint64) uint64 {
	x.views.Lock()
	defer x.views.Unlock()
	last := x.history[len(x.history)-1].sequence
	limit := last - min(last, back)
	if x.retain > 0 {
		limit = min(limit, x.retained())
	}
	x.floor = max(x.floor, x.sequences.lowest(limit))
	x.forget(x.floor)
	return x.floor
}

// retained is the lowest sequence that Retain asks for; a later one where more
// waits than may, but none after a revision that is kept, nor of the newest writes,
// which may not be readable yet.
func (x *Index) retained() uint64 {
	after := sort.Search(len(x.history), func(i int) bool { return x.history[i].revision > x.retain })
	i := max(after-1, 0)
	if len(x.waiting) <= x.mostYoung {
		return x.history[i].sequence
	}
	last := x.history[len(x.history)-1].sequence
	most := min(x.waiting[len(x.waiting)-x.mostYoung-1].sequence, last-min(last, lag))
	i = max(i, x.at(x.floor)) // below it nothing is left to keep
	for ; i+1 < len(x.history) && x.history[i+1].sequence <= most && !x.history[i].kept; i++ {
	}
	return x.history[i].sequence
}

// at returns where in the history a sequence is.
func (x *Index) at(sequence uint64) int {
	return sort.Search(len(x.history), func(i int) bool { return x.history[i].sequence > sequence }) - 1
}

// Settle does for an index that nobody writes to what a write does on the way, up
// to budget pieces of work: it retains what Retain(from) would, also of the newest
// writes, and makes the rest take no more memory or time than if it had always
// been there. It says whether there is more to do at once. Views of revisions
// before from must not be opened any more.
func (x *Index) Settle(from tuple.Revision, budget int) (more bool) {
	x.Retain(from)
	x.write.Lock()
	defer x.write.Unlock()
	more = x.reclaim(budget, 0)
	if len(x.waiting) == 0 && len(x.limbo) == 0 {
		x.waiting, x.limbo = nil, nil // they were as long as a load
	}
	x.measure()
	return more
}

// reclaim settles up to budget of what every view sees as written, and frees
// what no reader stands in. The newest back writes stay. It says whether the budget
// was too small.
func (x *Index) reclaim(budget int, back uint64) (more bool) {
	floor := x.raiseFloor(back)
	n := 0
	for ; n < len(x.waiting) && n < budget && x.waiting[n].sequence <= floor; n++ {
		switch w := x.waiting[n]; w.kind {
		case tupleAdded:
			x.settleTuple(w.number)
		case tupleRemoved:
			x.endTuple(w.number)
		case nodeAdded:
			x.settleNode(w.number)
		case nodeRemoved:
			x.endNode(w.number)
		}
	}
	x.waiting = x.waiting[n:]
	return x.free(8*budget) || n == budget // more than so much of what waits leaves behind
}

// free reuses up to budget of what was unlinked before every open view was
// opened, and says whether the budget was too small.
func (x *Index) free(budget int) (more bool) {
	x.views.Lock()
	x.epoch++
	lowest := x.epochs.lowest(x.epoch)
	x.views.Unlock()
	n := 0
	for ; n < len(x.limbo) && n < budget && x.limbo[n].epoch < lowest; n++ {
		switch l := x.limbo[n]; l.kind {
		case limboVersion:
			x.versions.give(l.number)
			x.held--
		case limboLife:
			x.lives.give(l.number)
		case limboNode:
			x.freeNode(l.number)
		case limboBlock:
			x.words.give(l.number, l.size)
		}
	}
	x.limbo = x.limbo[n:]
	return n == budget
}
