package graph

import "sort"

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
// nobody needs what is below, and returns it.
func (x *Index) raiseFloor() uint64 {
	x.views.Lock()
	defer x.views.Unlock()
	last := x.history[len(x.history)-1].sequence
	limit := last - min(last, lag)
	if x.retain > 0 {
		after := sort.Search(len(x.history), func(i int) bool { return x.history[i].revision > x.retain })
		limit = min(limit, x.history[max(after-1, 0)].sequence)
	}
	x.floor = max(x.floor, x.sequences.lowest(limit))
	x.forget(x.floor)
	return x.floor
}

// reclaim settles up to budget of what every view sees as written, and frees
// what no reader stands in.
func (x *Index) reclaim(budget int) {
	floor := x.raiseFloor()
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
	x.free(8 * budget) // more than so much of what waits leaves behind
}

// free reuses up to budget of what was unlinked before every open view was opened.
func (x *Index) free(budget int) {
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
}
