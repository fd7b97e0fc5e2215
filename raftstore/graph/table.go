package graph

import "sync/atomic"

const (
	minSlots = 8
	// maxSlots bounds a shard, and with it the longest rehash: 12,288 entries.
	maxSlots = 1 << 14
	maxDepth = 16
	// buried marks a slot whose entry was deleted: probing goes on behind it.
	buried = 1<<32 - 1
)

// table is a hash table from a key to a 32-bit number, by extendible hashing: a
// directory of shards, each split when it is full, so that no growth ever
// rehashes more than one shard. It keeps no keys: an entry holds the 32-bit
// hash (tag) and the number, and the caller compares the key that the number
// leads to. One writer; readers never wait. An entry never moves within a shard,
// and a shard that was replaced stays as it was for the readers still in it.
type table struct {
	dir   atomic.Pointer[directory]
	slots int // writer's: of all shards
}

type directory struct {
	depth  uint // the first depth bits of a tag choose the shard
	shards []atomic.Pointer[shard]
}

type shard struct {
	depth      uint            // all tags here agree in the first depth bits
	slots      []atomic.Uint64 // tag<<32 | number; 0 is free
	used, live int             // writer's: slots not free; entries
}

func newTable() *table {
	t := &table{slots: minSlots}
	d := &directory{shards: make([]atomic.Pointer[shard], 1)}
	d.shards[0].Store(newShard(0, minSlots))
	t.dir.Store(d)
	return t
}

func newShard(depth uint, slots int) *shard {
	return &shard{depth: depth, slots: make([]atomic.Uint64, slots)}
}

func (t *table) shard(tag uint32) *shard {
	d := t.dir.Load()
	return d.shards[tag>>(32-d.depth)].Load()
}

// find returns the slot of the entry with the tag whose number matches, or nil.
func (t *table) find(tag uint32, match func(uint32) bool) *atomic.Uint64 {
	s := t.shard(tag)
	mask := uint32(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		e := s.slots[i].Load()
		if e == 0 {
			return nil
		}
		if uint32(e>>32) == tag && uint32(e) != buried && match(uint32(e)) {
			return &s.slots[i]
		}
	}
}

// get returns the number that matches, or 0.
func (t *table) get(tag uint32, match func(uint32) bool) uint32 {
	s := t.shard(tag)
	mask := uint32(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		e := s.slots[i].Load()
		if e == 0 {
			return 0
		}
		if uint32(e>>32) == tag && uint32(e) != buried && match(uint32(e)) {
			return uint32(e)
		}
	}
}

func entry(tag, number uint32) uint64 { return uint64(tag)<<32 | uint64(number) }

// insert adds an entry whose key is not there yet.
func (t *table) insert(tag, number uint32) {
	s := t.shard(tag)
	for s.used+1 > len(s.slots)/4*3 {
		t.grow(tag, s)
		s = t.shard(tag)
	}
	s.insert(tag, number)
}

func (s *shard) insert(tag, number uint32) {
	mask := uint32(len(s.slots) - 1)
	for i := tag & mask; ; i = (i + 1) & mask {
		switch e := s.slots[i].Load(); {
		case e == 0:
			s.used++
		case uint32(e) != buried:
			continue
		}
		s.live++
		s.slots[i].Store(entry(tag, number))
		return
	}
}

// remove deletes the entry in a slot that find has just returned.
func (t *table) remove(tag uint32, slot *atomic.Uint64) {
	slot.Store(entry(tag, buried))
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
	t.slots += size - len(s.slots)
	next := newShard(s.depth, size)
	s.copyTo(func(uint32) *shard { return next })
	t.point(tag, next)
}

func (t *table) split(tag uint32, s *shard) {
	bit := uint32(1) << (31 - s.depth)
	low, high := newShard(s.depth+1, maxSlots), newShard(s.depth+1, maxSlots)
	s.copyTo(func(tag uint32) *shard {
		if tag&bit != 0 {
			return high
		}
		return low
	})
	if d := t.dir.Load(); d.depth == s.depth {
		next := &directory{depth: d.depth + 1, shards: make([]atomic.Pointer[shard], 2*len(d.shards))}
		for i := range next.shards {
			next.shards[i].Store(d.shards[i/2].Load())
		}
		t.dir.Store(next)
	}
	t.slots += 2*maxSlots - len(s.slots)
	t.point(tag&^bit, low)
	t.point(tag|bit, high)
}

func (s *shard) copyTo(target func(tag uint32) *shard) {
	for i := range s.slots {
		if e := s.slots[i].Load(); e != 0 && uint32(e) != buried {
			tag := uint32(e >> 32)
			target(tag).insert(tag, uint32(e))
		}
	}
}

// point makes every directory entry with the shard's prefix of tag lead to it.
func (t *table) point(tag uint32, s *shard) {
	d := t.dir.Load()
	span := 1 << (d.depth - s.depth)
	first := int(tag>>(32-d.depth)) &^ (span - 1)
	for i := first; i < first+span; i++ {
		d.shards[i].Store(s)
	}
}
