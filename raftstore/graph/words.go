package graph

// words is an arena of blocks of 64-bit words. A block is numbered by its first
// word; 0 is none. Who holds a block knows its size.
type words struct {
	pages[uint64]
	small [mostSmall + 1][]uint32 // writer's: blocks given back, by size
	large map[uint32][]uint32     // writer's: the same of larger ones
	spare block                   // writer's: a block that small ones are cut from
}

type block struct{ start, size uint32 }

const (
	// mostSmall is the largest block, in words, that is cut out of a larger one.
	mostSmall = 128
	// firstWord begins the first piece that a block of any use fits in.
	firstWord = (1<<3 - 1) << pageBits
)

// of returns the words of a block.
func (w *words) of(start, size uint32) []uint64 { return w.slice(start, size) }

// takeBlock returns an empty block.
func (w *words) takeBlock(size uint32, m *memory) uint32 {
	start, used := w.reuse(size)
	if !used {
		return w.grow(size, m)
	}
	clear(w.of(start, size))
	return start
}

func (w *words) reuse(size uint32) (start uint32, ok bool) {
	if size > mostSmall {
		if start, ok = pop(w.large[size]); ok {
			w.large[size] = w.large[size][:len(w.large[size])-1]
		}
		return start, ok
	}
	if start, ok = pop(w.small[size]); ok {
		w.small[size] = w.small[size][:len(w.small[size])-1]
		return start, true
	}
	if w.spare.size < size {
		w.renew()
	}
	if w.spare.size < size {
		return 0, false
	}
	start = w.spare.start
	w.spare = block{start + size, w.spare.size - size}
	return start, true
}

func pop(list []uint32) (uint32, bool) {
	if len(list) == 0 {
		return 0, false
	}
	return list[len(list)-1], true
}

// renew takes a large block that nobody uses as the one to cut small ones from.
func (w *words) renew() {
	for size, list := range w.large {
		if len(list) == 0 {
			delete(w.large, size)
			continue
		}
		w.put(w.spare)
		w.spare = block{list[len(list)-1], size}
		w.large[size] = list[:len(list)-1]
		return
	}
}

func (w *words) grow(size uint32, m *memory) uint32 {
	w.next = max(w.next, firstWord)
	for w.left(w.next) < size {
		left := w.left(w.next)
		if w.find(w.next) != nil { // else it was never needed
			w.give(w.next, left)
		}
		w.next += left
	}
	w.ensure(w.next, m)
	w.next += size
	return w.next - size
}

// give takes a block back that no reader can reach any more.
func (w *words) give(start, size uint32) { w.put(block{start, size}) }

func (w *words) put(b block) {
	switch {
	case b.size == 0:
	case b.size <= mostSmall:
		w.small[b.size] = append(w.small[b.size], b.start)
	default:
		if w.large == nil {
			w.large = map[uint32][]uint32{}
		}
		w.large[b.size] = append(w.large[b.size], b.start)
	}
}
