package graph

import "sync/atomic"

const (
	minSlots = 8
	// maxSlots bounds a shard, and with it the longest rehash: 12,288 entries.
	maxSlots = 1 << 14
	maxDepth = 20
	// buriedName marks a slot whose entry was deleted: probing goes on behind it.
	buriedName = 1<<32 - 1
)

// table is a hash table from an object to its node, by extendible hashing: a
// directory of shards, each split when it is full, so that no growth ever
// rehashes more than one shard. It keeps no keys: an entry holds the 32-bit
// hash (tag) and the number, and the node that it leads to has the key. One
// writer; readers never wait. An entry never moves within a shard, and a shard
// that was replaced stays as it was for the readers still in it.
type table struct {
	dir    atomic.Pointer[directory]
	blocks blocks // of the shards
}

// blocks is where a structure takes its blocks from. What readers may still
// stand in is dropped, not given.
type blocks interface {
	take(size uint32) (start uint32)
	drop(start, size uint32)
	of(start, size uint32) []uint64
}

type directory struct {
	depth  uint // the first depth bits of a tag choose the shard
	shards []atomic.Pointer[shard]
}

type shard struct {
	depth      uint     // all tags here agree in the first depth bits
	slots      []uint64 // tag<<32 | number; 0 is free
	start      uint32   // the block of the slots
	used, live int      // writer's: slots not free; entries
}

// newTable returns an empty table whose first depth bits have a shard of their own.
func newTable(depth uint, b blocks) *table {
	t := &table{blocks: b}
	d := &directory{depth: depth, shards: make([]atomic.Pointer[shard], 1<<depth)}
	for i := range d.shards {
		d.shards[i].Store(newShard(depth, minSlots, b))
	}
	t.dir.Store(d)
	return t
}

func newShard(depth uint, slots int, b blocks) *shard {
	start := b.take(uint32(slots))
	return &shard{depth: depth, start: start, slots: b.of(start, uint32(slots))}
}

func (t *table) shard(tag uint32) *shard {
	d := t.dir.Load()
	return d.shards[uint64(tag)>>(32-d.depth)].Load()
}

// first returns the slot where the search for a tag begins.
func (t *table) first(tag uint32) *uint64 {
	s := t.shard(tag)
	return &s.slots[tag&uint32(len(s.slots)-1)]
}

func nameEntry(tag, number uint32) uint64 { return uint64(tag)<<32 | uint64(number) }

// slot returns the slot with the newest node of an object, or nil.
func (x *Index) slot(tag, kind uint32, id string) *uint64 {
	s := x.names.shard(tag)
	mask := uint32(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		e := atomic.LoadUint64(&s.slots[i])
		if e == 0 {
			return nil
		}
		if uint32(e>>32) == tag && uint32(e) != buriedName && x.isNamed(uint32(e), kind, id) {
			return &s.slots[i]
		}
	}
}

// full says whether a shard must grow before it takes one entry more.
func (s *shard) full() bool { return s.used+1 > len(s.slots)/4*3 }

// insert adds an entry whose key is not there yet.
func (t *table) insert(tag, number uint32) {
	s := t.shard(tag)
	for s.full() {
		t.grow(tag, s)
		s = t.shard(tag)
	}
	s.insert(tag, number)
}

func (s *shard) insert(tag, number uint32) {
	mask := uint32(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		switch e := s.slots[i]; {
		case e == 0:
			s.used++
		case uint32(e) != buriedName:
			continue
		}
		s.live++
		atomic.StoreUint64(&s.slots[i], nameEntry(tag, number))
		return
	}
}

// remove deletes the entry in a slot that was just found.
func (t *table) remove(tag uint32, slot *uint64) {
	atomic.StoreUint64(slot, nameEntry(tag, buriedName))
	t.shard(tag).live--
}

// grow replaces a full shard: by one without its buried slots, a larger one, or two.
func (t *table) grow(tag uint32, s *shard) {
	size := len(s.slots)
	switch {
	case s.live < size/8 && size > minSlots:
		size /= 2
	case s.live < size/2: // buried slots fill it
	case size < maxSlots || s.depth == maxDepth:
		size *= 2
	default:
		t.split(tag, s)
		return
	}
	next := newShard(s.depth, size, t.blocks)
	s.copyTo(func(uint32) *shard { return next })
	t.point(tag, next)
	t.blocks.drop(s.start, uint32(len(s.slots)))
}

// mustDouble says whether to split a shard takes a larger directory.
func (t *table) mustDouble(s *shard) bool {
	return len(s.slots) >= maxSlots && s.live >= len(s.slots)/2 && s.depth < maxDepth && t.dir.Load().depth == s.depth
}

// double makes the directory larger and leaves the shards as they are.
func (t *table) double() {
	d := t.dir.Load()
	next := &directory{depth: d.depth + 1, shards: make([]atomic.Pointer[shard], 2*len(d.shards))}
	for i := range next.shards {
		next.shards[i].Store(d.shards[i/2].Load())
	}
	t.dir.Store(next)
}

func (t *table) split(tag uint32, s *shard) {
	bit := uint32(1) << (31 - s.depth)
	low, high := newShard(s.depth+1, maxSlots, t.blocks), newShard(s.depth+1, maxSlots, t.blocks)
	s.copyTo(func(tag uint32) *shard {
		if tag&bit != 0 {
			return high
		}
		return low
	})
	if t.dir.Load().depth == s.depth {
		t.double()
	}
	t.point(tag&^bit, low)
	t.point(tag|bit, high)
	t.blocks.drop(s.start, uint32(len(s.slots)))
}

func (s *shard) copyTo(target func(tag uint32) *shard) {
	for _, e := range s.slots {
		if e != 0 && uint32(e) != buriedName {
			tag := uint32(e >> 32)
			target(tag).insert(tag, uint32(e))
		}
	}
}

// point makes every directory entry with the shard's prefix of tag lead to it.
func (t *table) point(tag uint32, s *shard) {
	d := t.dir.Load()
	span := 1 << (d.depth - s.depth)
	first := int(uint64(tag)>>(32-d.depth)) &^ (span - 1)
	for i := first; i < first+span; i++ {
		d.shards[i].Store(s)
	}
}
