package graph

import "sync/atomic"

// A moment is when something happened, in 31 bits that wrap: odd, so that 0 is
// no moment. The index counts its own writes in it and not revisions, so that
// the gaps between one store's revisions cost no range. Two moments compare as
// long as they are less than 1<<30 writes apart, which settling and ErrPinned ensure.
type moment = uint32

func momentOf(sequence uint64) moment { return uint32(sequence)<<1 | 1 }

// life is from when until when a tuple or an object is there. Its record is one
// version; older and newer lead to the versions of the same key before and after.
type life struct {
	added   atomic.Uint32 // 0: since before every view
	removed atomic.Uint32 // 0: still there
	older   atomic.Uint32
	newer   uint32 // writer's
}

// seen says whether it is there at a moment.
func (l *life) seen(at moment) bool {
	added, removed := l.added.Load(), l.removed.Load()
	return (added == 0 || int32(added-at) <= 0) && (removed == 0 || int32(removed-at) > 0)
}

func (l *life) begin(added moment, older uint32) {
	l.added.Store(added)
	l.removed.Store(0)
	l.older.Store(older)
	l.newer = 0
}
