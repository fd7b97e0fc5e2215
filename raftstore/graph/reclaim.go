package graph

import "sort"

// An edge or node that was removed goes three ways: it is retired (readers of
// older views still see it), then in limbo (no view sees it and no new reader
// finds it, but one that found it before may still look at it), then free.

type retiredKind uint8

const (
	retiredEdge retiredKind = iota
	retiredNode
)

type retired struct {
	sequence uint64 // of the removal
	number   uint32
	kind     retiredKind
}

type limboKind uint8

const (
	limboEdge limboKind = iota
	limboNode
	limboList
	limboBlock
)

type limbo struct {
	epoch  uint64 // the one in which it was unlinked
	number uint32
	kind   limboKind
}

const (
	// lag is how many writes back a view can be opened without Retain, so that a
	// reader that has just learned the newest revision finds it though another
	// write came in between.
	lag = 16
	// sweepEvery and mostPinned keep moments comparable: see moment.
	sweepEvery = 1 << 27
	mostPinned = 1 << 29
)

// remember retires an edge or node that was removed in the current sequence.
func (x *Index) remember(kind retiredKind, i uint32) {
	x.retired = append(x.retired, retired{x.sequence, i, kind})
}

func (x *Index) retire(kind limboKind, i uint32) {
	x.limbo = append(x.limbo, limbo{x.epoch, i, kind})
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

// reclaim unlinks up to budget of what no view sees, and frees what no reader
// stands in.
func (x *Index) reclaim(budget int) {
	floor := x.raiseFloor()
	n := 0
	for ; n < len(x.retired) && n < budget && x.retired[n].sequence <= floor; n++ {
		if r := x.retired[n]; r.kind == retiredEdge {
			x.unlinkEdge(r.number)
		} else {
			x.unlinkNode(r.number)
		}
	}
	x.retired = x.retired[n:]
	x.free()
}

// free reuses what was unlinked before every open view was opened.
func (x *Index) free() {
	x.views.Lock()
	x.epoch++
	lowest := x.epochs.lowest(x.epoch)
	x.views.Unlock()
	n := 0
	for ; n < len(x.limbo) && x.limbo[n].epoch < lowest; n++ {
		number := x.limbo[n].number
		switch x.limbo[n].kind {
		case limboEdge:
			x.edges.give(number)
		case limboNode:
			o := x.nodes.at(number)
			x.texts.give(o.text, int(o.length))
			x.nodes.give(number)
		case limboList:
			x.lists.give(number)
		case limboBlock:
			x.words.give(number)
		}
	}
	x.limbo = x.limbo[n:]
}

// sweep marks, before moments could wrap into each other, what every view sees
// as there since ever.
func (x *Index) sweep(next uint64) error {
	if next < x.sweepAt {
		return nil
	}
	x.reclaim(len(x.retired))
	floor := x.raiseFloor()
	if next-floor >= mostPinned {
		return ErrPinned
	}
	x.sweepAt = next + sweepEvery
	at := momentOf(floor)
	for i := uint32(1); i < x.edges.next; i++ {
		x.edges.at(i).settle(at)
	}
	for i := uint32(1); i < x.nodes.next; i++ {
		x.nodes.at(i).settle(at)
	}
	return nil
}

func (l *life) settle(at moment) {
	if added := l.added.Load(); added != 0 && int32(added-at) <= 0 {
		l.added.Store(0)
	}
}
