package graph

import "sync/atomic"

const (
	pageBits = 9
	pageMask = 1<<pageBits - 1
)

type page[T any] [1 << pageBits]T

// pages is an arena of records that never move, numbered from 1. The writer
// takes and gives back; readers call at with a number that they found through
// an atomic load, which makes the page behind it visible to them.
type pages[T any] struct {
	dir  atomic.Pointer[[]*page[T]]
	next uint32   // writer's: the first number never taken
	free []uint32 // writer's: numbers given back
}

func (p *pages[T]) at(i uint32) *T {
	return &(*p.dir.Load())[i>>pageBits][i&pageMask]
}

// has says whether the number was ever taken.
func (p *pages[T]) has(i uint32) bool {
	dir := p.dir.Load()
	return i != 0 && dir != nil && int(i>>pageBits) < len(*dir)
}

func (p *pages[T]) take() uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	p.next = max(p.next, 1)
	var dir []*page[T]
	if d := p.dir.Load(); d != nil {
		dir = *d
	}
	if int(p.next>>pageBits) == len(dir) {
		// Readers of the old slice never look behind its length, so append may reuse its array.
		dir = append(dir, new(page[T]))
		p.dir.Store(&dir)
	}
	p.next++
	return p.next - 1
}

func (p *pages[T]) give(i uint32) { p.free = append(p.free, i) }

// used returns how many records are taken.
func (p *pages[T]) used() int { return int(max(p.next, 1)) - 1 - len(p.free) }

// room says whether n more records can be numbered below limit.
func (p *pages[T]) room(n int, limit uint32) bool {
	return uint64(p.next)+uint64(n) < uint64(limit)+uint64(len(p.free))
}

func (p *pages[T]) pageCount() int {
	if d := p.dir.Load(); d != nil {
		return len(*d)
	}
	return 0
}
