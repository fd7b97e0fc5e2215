package graph

import (
	"math/bits"
	"sync/atomic"
)

const (
	wordPage = 4096
	minBlock = 4   // words: two of them the block's own
	maxBlock = 512 // words
)

// words is an arena of blocks of 32-bit words, in sizes of powers of two. Word 0
// of a block is the number of the next block, word 1 its own size; the others
// hold items. Blocks are numbered by their first word; 0 is none.
type words struct {
	dir  atomic.Pointer[[]*[wordPage]atomic.Uint32]
	next uint32                  // writer's: the first word never taken
	free [bits.UintSize][]uint32 // writer's: blocks given back, by log2 of their size
}

func (w *words) at(i uint32) *atomic.Uint32 {
	return &(*w.dir.Load())[i/wordPage][i%wordPage]
}

// block returns the words of a block.
func (w *words) block(start uint32) []atomic.Uint32 {
	page := (*w.dir.Load())[start/wordPage]
	at := start % wordPage
	return page[at : at+page[at+1].Load()]
}

// take returns an empty block of at least n words, at most maxBlock.
func (w *words) take(n int) uint32 {
	class := bits.Len(uint(min(max(n, minBlock), maxBlock) - 1))
	size := uint32(1) << class
	var start uint32
	if list := w.free[class]; len(list) > 0 {
		start = list[len(list)-1]
		w.free[class] = list[:len(list)-1]
	} else {
		start = w.grow(size)
	}
	w.at(start + 1).Store(size)
	block := w.block(start)
	for i := range block {
		if i != 1 {
			block[i].Store(0)
		}
	}
	return start
}

func (w *words) grow(size uint32) uint32 {
	var dir []*[wordPage]atomic.Uint32
	if d := w.dir.Load(); d != nil {
		dir = *d
	}
	w.next = max(w.next, minBlock)
	if left := uint32(len(dir))*wordPage - w.next; len(dir) == 0 || left < size {
		for len(dir) > 0 && left > 0 { // cut what is left of the page into smaller blocks
			class := bits.Len32(left) - 1
			w.free[class] = append(w.free[class], w.next)
			w.next += 1 << class
			left -= 1 << class
		}
		dir = append(dir, new([wordPage]atomic.Uint32))
		w.dir.Store(&dir)
	}
	start := w.next
	w.next += size
	return start
}

// give takes a block back that no reader can reach any more.
func (w *words) give(start uint32) {
	class := bits.Len32(w.at(start+1).Load()) - 1
	w.free[class] = append(w.free[class], start)
}

func (w *words) room(n int) bool { return uint64(w.next)+uint64(n)*maxBlock < 1<<31 }

func (w *words) pageCount() int {
	if d := w.dir.Load(); d != nil {
		return len(*d)
	}
	return 0
}
