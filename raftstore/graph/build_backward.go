package graph

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

// Finish makes the index of what the loaders have added, none of which may be
// used any more.
func (b *Builder) Finish() (*Index, error) {
	x := b.x
	for _, l := range b.loaders {
		if err := cmp.Or(l.addBatch(), l.flush()); err != nil {
			return nil, err
		}
	}
	workers := runtime.GOMAXPROCS(0)
	loaders := make([]*Loader, workers)
	for i := range loaders {
		loaders[i] = b.Loader()
	}
	share := (x.runs.next + uint32(workers) - 1) / uint32(workers)
	parallel(workers, func(i int) { // as many words for each subject as tuples name it
		loaders[i].reserve(max(1, uint32(i)*share), min(x.runs.next, uint32(i+1)*share))
	})
	parallel(workers, func(i int) { // each fills the lists of its own subjects
		b.fillBackward(uint32(i), uint32(workers))
	})
	parallel(workers, func(i int) {
		loaders[i].group()
		loaders[i].tidy(max(1, uint32(i)*share), min(x.runs.next, uint32(i+1)*share))
	})
	if b.full.Load() {
		return nil, ErrFull
	}
	for _, l := range b.loaders {
		l.finish()
	}
	for _, p := range *x.populations.Load() {
		p.used = 1 << runBits
	}
	x.names.blocks = writerBlocks{x}
	x.sequence++
	x.history = append(x.history, written{revision: b.revision, sequence: x.sequence})
	x.floor, x.loading = x.sequence, false
	x.measure()
	return x, nil
}

func parallel(workers int, work func(worker int)) {
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() { work(i) })
	}
	wg.Wait()
}

// While its list is filled, the first word of a subject says
//
//	alone                               that the one entry replaces it
//	listBit | left<<52 | size<<32 | …   how many words of its block are empty
//	listBit | setBit | start            that its block begins with how many entries
//	                                    it is for, and how many it has
const (
	alone     = listBit | 1
	leftShift = 32 + sizeBits
	largeHead = 2
)

// reserve gives every subject of some runs the words for its entries.
func (l *Loader) reserve(first, end uint32) {
	for i := first << runBits; i < end<<runBits; i++ {
		n := l.b.x.nodes.at(i)
		count := uint32(n.backward[0])
		n.refs += count
		switch {
		case count == 0:
		case count == 1:
			n.backward[0] = alone
		case count <= mostFlat:
			n.backward[0] = flatWord(l.take(count), count) | uint64(count)<<leftShift
		default:
			start := l.take(largeHead + count)
			*l.b.x.words.at(start) = uint64(count)
			n.backward[0] = listBit | setBit | uint64(start)
			l.large = append(l.large, i)
		}
	}
}

// fillBackward puts the entries of all objects into the lists of their subjects,
// of those subjects that are one worker's. Each reads all objects, in their order,
// so that no two write to one subject.
func (b *Builder) fillBackward(worker, workers uint32) {
	x := b.x
	for object := uint32(1) << runBits; object < x.runs.next<<runBits; object++ {
		n := x.nodes.at(object)
		enter := func(e uint64) {
			subject := uint32(e)
			if e&recordBit != 0 {
				subject = x.versions.at(subject).subject
			}
			if subject>>runBits%workers != worker {
				return
			}
			if e&recordBit == 0 {
				e = e&labelMask | uint64(object)
			}
			x.enterBackward(x.nodes.at(subject), e)
		}
		if w := n.forward[0]; w&listBit == 0 {
			for _, e := range n.forward {
				if e != 0 {
					enter(e)
				}
			}
		} else {
			x.eachEntry(w, enter)
		}
	}
}

func (x *Index) enterBackward(n *node, e uint64) {
	w := n.backward[0]
	switch {
	case w == alone:
		n.backward[0] = e
	case w&setBit != 0:
		fill := x.words.at(uint32(w) + 1)
		*x.words.at(uint32(w) + largeHead + uint32(*fill)) = e
		*fill++
	default:
		left := w >> leftShift & (2*mostFlat - 1)
		*x.words.at(uint32(w) + uint32(left) - 1) = e
		n.backward[0] = w - 1<<leftShift
	}
}

// tidy puts the entries of each group side by side in the blocks of the subjects
// of some runs, the smallest group first.
func (l *Loader) tidy(first, end uint32) {
	var heads [mostFlat]uint64
	for i := first << runBits; i < end<<runBits; i++ {
		n := l.b.x.nodes.at(i)
		w := n.backward[0]
		if w&(listBit|groupsBit|setBit) != listBit {
			continue
		}
		entries := l.b.x.words.of(uint32(w), sizeOf(w))
		counts := heads[:0]
		for _, e := range entries {
			counts = countIn(counts, groupOf(e, backward))
		}
		if len(counts) > 1 {
			rank := func(e uint64) uint64 { // the group's size, then the group
				group := groupOf(e, backward)
				for _, head := range counts {
					if uint32(head>>32) == group {
						return head<<32 | uint64(group)
					}
				}
				return 0
			}
			slices.SortFunc(entries, func(a, b uint64) int { return cmp.Compare(rank(a), rank(b)) })
		}
		n.backward[0] = w | tidyBit
	}
}

// group makes groups of the long lists that the worker has reserved.
func (l *Loader) group() {
	x := l.b.x
	for _, i := range l.large {
		n := x.nodes.at(i)
		start := uint32(n.backward[0])
		count := uint32(*x.words.at(start))
		n.backward[0] = x.groups(x.words.of(start+largeHead, count), backward, l)
		l.drop(start, largeHead+count)
	}
}
