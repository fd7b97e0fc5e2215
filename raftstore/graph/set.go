package graph

import (
	"math/bits"
	"sync/atomic"
)

// A set is a large group of entries as a hash table, by extendible hashing: one
// shard, or a directory of shards, each split when it is full, so that no growth
// rehashes more than one. The word that leads to it is
//
//	listBit | setBit | depth<<32 | start
//
// where start is the shard's block if depth is 0, else the directory's: a word
// with the depth, then 1<<depth words with the starts of shards. Directories are
// replaced and never changed, so a reader that goes on in one sees the set as it
// was, or the same entries in a newer state.
const (
	minSetSlots = 32
	// maxSetSlots bounds a shard, and with it the longest rehash: 6,144 entries.
	maxSetSlots = 1 << slotBits
	slotBits    = 13
	maxSetDepth = 16
	// shardHead is the words of a shard before its slots: its shape (depth and log2
	// of its slots), which never changes, and the writer's counts.
	shardHead = 2
)

// setShard is a shard of a set.
type setShard struct {
	start uint32
	words []uint64
}

func (h setShard) depth() uint32   { return uint32(h.words[0] >> 8) }
func (h setShard) slots() []uint64 { return h.words[shardHead:] }

// The writer's counts: slots that are not empty, and entries.
func (h setShard) used() int { return int(uint32(h.words[1])) }
func (h setShard) live() int { return int(h.words[1] >> 32) }

func (h setShard) count(used, live int) { h.words[1] += uint64(used) + uint64(live)<<32 }

func (x *Index) shardAt(start uint32) setShard {
	slots := uint32(1) << uint8(*x.words.at(start))
	return setShard{start, x.words.of(start, shardHead+slots)}
}

func newSetShard(depth uint32, slots int, b blocks) setShard {
	size := uint32(shardHead + slots)
	h := setShard{start: b.take(size)}
	h.words = b.of(h.start, size)
	h.words[0] = uint64(depth)<<8 | uint64(bits.Len(uint(slots))-1)
	return h
}

// slotsFor returns how many slots so many entries should have.
func slotsFor(entries int) int {
	if entries > maxSetSlots/2 && entries < maxSetSlots/4*3 {
		return maxSetSlots // and not twice as many, which the formula says near the end
	}
	return max(minSetSlots, 1<<bits.Len(uint(entries*3/2)))
}

func depthOf(w uint64) uint32 { return sizeOf(w) }

func setWord(start, depth uint32) uint64 {
	return listBit | setBit | uint64(depth)<<32 | uint64(start)
}

// shardFor returns the shard of a set that a tag belongs to.
func (x *Index) shardFor(w uint64, tag uint32) setShard {
	if depth := depthOf(w); depth > 0 {
		return x.shardAt(uint32(*x.words.at(uint32(w) + 1 + tag>>(32-depth))))
	}
	return x.shardAt(uint32(w))
}

// searchSet returns the word of an entry in a set, and what it was; nil if it is
// not there.
func (x *Index) searchSet(w uint64, s side, f *far) (*uint64, uint64) {
	tag := x.hash(f)
	slots := x.shardFor(w, tag).slots()
	mask := uint32(len(slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		e := atomic.LoadUint64(&slots[i])
		if e == 0 {
			return nil, 0
		}
		if e == f.plain || e > recordBit && x.is(e, s, f) {
			return &slots[i], e
		}
	}
}

func (h setShard) put(tag uint32, e uint64) {
	slots := h.slots()
	mask := uint32(len(slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		switch slots[i] {
		case 0:
			h.count(1, 1)
		case listBit:
			h.count(0, 1)
		default:
			continue
		}
		atomic.StoreUint64(&slots[i], e)
		return
	}
}

// newSet makes a set of entries that nobody reads yet.
func (x *Index) newSet(entries []uint64, s side, b blocks) uint64 {
	depth := uint32(bits.Len(uint(len(entries) / (x.setSlots * 5 / 8))))
	tags, counts := make([]uint32, len(entries)), make([]int, 1<<depth)
	for i, e := range entries {
		f := x.farOf(e, s)
		tags[i] = x.hash(&f)
		counts[uint64(tags[i])>>(32-depth)]++
	}
	shards := make([]setShard, len(counts))
	for i, n := range counts {
		shards[i] = newSetShard(depth, slotsFor(n), b)
	}
	for i, e := range entries {
		shards[uint64(tags[i])>>(32-depth)].put(tags[i], e)
	}
	if depth == 0 {
		return setWord(shards[0].start, 0)
	}
	size := uint32(1 + len(shards))
	start := b.take(size)
	dir := b.of(start, size)
	dir[0] = uint64(depth)
	for i, h := range shards {
		dir[1+i] = uint64(h.start)
	}
	return setWord(start, depth)
}

// putInSet adds an entry that is not there.
func (x *Index) putInSet(word *uint64, s side, e uint64) {
	f := x.farOf(e, s)
	tag := x.hash(&f)
	h := x.shardFor(*word, tag)
	for h.used()+1 > len(h.slots())/4*3 {
		x.resize(word, s, tag, h)
		h = x.shardFor(*word, tag)
	}
	h.put(tag, e)
}

// cutFromSet takes an entry out.
func (x *Index) cutFromSet(word *uint64, s side, f *far) {
	tag := x.hash(f)
	slot, _ := x.searchSet(*word, s, f)
	atomic.StoreUint64(slot, listBit)
	h := x.shardFor(*word, tag)
	h.count(0, -1)
	if len(h.slots()) > minSetSlots && h.live() < len(h.slots())/8 {
		x.resize(word, s, tag, h)
	}
}

// resize replaces a shard that is full or mostly empty: by one with as many slots
// as its entries need, or by two.
func (x *Index) resize(word *uint64, s side, tag uint32, h setShard) {
	b := writerBlocks{x}
	var next []setShard
	slots, depth := slotsFor(h.live()+1), h.depth()
	if slots <= x.setSlots || depth == maxSetDepth {
		next = []setShard{newSetShard(depth, slots, b)}
	} else {
		depth++
		slots = len(h.slots()) // all may fall into one of them
		next = []setShard{newSetShard(depth, slots, b), newSetShard(depth, slots, b)}
	}
	for _, e := range h.slots() {
		if e != 0 && e != listBit {
			f := x.farOf(e, s)
			tag := x.hash(&f)
			next[int(uint64(tag)>>(32-depth))&(len(next)-1)].put(tag, e)
		}
	}
	x.point(word, tag, depth, next)
	x.dropBlock(h.start, uint32(len(h.words)))
}

// point gives a set a directory in which the prefix of a tag, of so many bits but
// those that next tells apart, leads to next.
func (x *Index) point(word *uint64, tag, depth uint32, next []setShard) {
	w := *word
	old, oldDepth := []uint64{uint64(uint32(w))}, depthOf(w)
	if oldDepth > 0 {
		old = x.words.of(uint32(w)+1, 1<<oldDepth)
	}
	newDepth := max(oldDepth, depth)
	if newDepth == 0 {
		atomic.StoreUint64(word, setWord(next[0].start, 0))
		return
	}
	size := uint32(1 + 1<<newDepth)
	start := x.takeBlock(size)
	dir := x.words.of(start, size)
	dir[0] = uint64(newDepth)
	for i := range uint32(1) << newDepth {
		dir[1+i] = old[i>>(newDepth-oldDepth)]
	}
	prefix := depth // bits that tell the shard that is replaced from the others
	if len(next) == 2 {
		prefix--
	}
	span := uint32(1) << (newDepth - prefix)
	first := uint32(uint64(tag)>>(32-newDepth)) &^ (span - 1)
	for i := range span {
		dir[1+first+i] = uint64(next[int(i)*len(next)/int(span)].start)
	}
	atomic.StoreUint64(word, setWord(start, newDepth))
	if oldDepth > 0 {
		x.dropBlock(uint32(w), 1+1<<oldDepth)
	}
}

// shards visits every shard once.
func (x *Index) shards(w uint64, visit func(setShard)) {
	depth := depthOf(w)
	if depth == 0 {
		visit(x.shardAt(uint32(w)))
		return
	}
	dir := x.words.of(uint32(w)+1, 1<<depth)
	for i := 0; i < len(dir); {
		h := x.shardAt(uint32(dir[i]))
		visit(h)
		i += 1 << (depth - h.depth())
	}
}

// dropSet drops the blocks of a set.
func (x *Index) dropSet(w uint64) {
	x.shards(w, func(h setShard) { x.dropBlock(h.start, uint32(len(h.words))) })
	if depth := depthOf(w); depth > 0 {
		x.dropBlock(uint32(w), 1+1<<depth)
	}
}
