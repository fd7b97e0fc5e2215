package graph

import "sync/atomic"

// A list is the entries of one end of a node. A few stand in the node itself,
// some in a block, many in groups (groupOf), each a block or, when it is large, a
// set (set.go). The node's first word says which:
//
//	no listBit            the words of the node are the entries
//	listBit               size<<32 | start of a block of entries
//	listBit | groupsBit   size<<32 | start of a block of groups
//	setBit, in a group    see set.go
//
// An entry never moves within its block, and a block that was replaced stays as
// it was until no reader stands in it: a reader that goes on in it misses only
// what its view does not see.
const (
	groupsBit = 1 << 61
	setBit    = 1 << 60
	// tidyBit marks a block in which the entries of a group stand side by side, the
	// smallest group first: who has read one group need not read the rest, and the
	// few parents of a group of users are not behind its many grants. The build makes
	// such blocks; the first entry that is added later ends it.
	tidyBit = 1 << 59

	// mostFlat is the largest block of entries: a search reads it in less time than
	// two misses of the cache take.
	mostFlat = 64
	sizeBits = 20
)

func flatWord(start, size uint32) uint64   { return listBit | uint64(size)<<32 | uint64(start) }
func groupsWord(start, size uint32) uint64 { return flatWord(start, size) | groupsBit }

func sizeOf(w uint64) uint32 { return uint32(w>>32) & (1<<sizeBits - 1) }

// group is two words of a block of groups: which group with how many entries, and
// the word that leads to them.
const groupWords = 2

func groupHead(key, count uint32) uint64 { return uint64(key)<<32 | uint64(count) }

func (n *node) words(s side) []uint64 {
	if s == forward {
		return n.forward[:]
	}
	return n.backward[:]
}

// search returns where in a block an entry stands, and what it was; -1 if nowhere.
func (x *Index) search(entries []uint64, s side, f *far) (int, uint64) {
	for i := range entries {
		e := atomic.LoadUint64(&entries[i])
		if e == f.plain || e > recordBit && x.is(e, s, f) {
			return i, e
		}
	}
	return -1, 0
}

// look returns the entry of a tuple in a node's list, or 0. For readers.
func (x *Index) look(n *node, s side, f *far) uint64 {
	inline := n.words(s)
	w := atomic.LoadUint64(&inline[0])
	if w&listBit == 0 {
		if w == f.plain || w > recordBit && x.is(w, s, f) {
			return w
		}
		_, e := x.search(inline[1:], s, f) // what is behind the first word never becomes a list
		return e
	}
	if w&groupsBit != 0 {
		if w = x.groupIn(w, groupOf(f.label, s)); w == 0 {
			return 0
		}
		if w&setBit != 0 {
			_, e := x.searchSet(w, s, f)
			return e
		}
	}
	_, e := x.search(x.words.of(uint32(w), sizeOf(w)), s, f)
	return e
}

// groupIn returns the word of a group, or 0.
func (x *Index) groupIn(w uint64, key uint32) uint64 {
	groups := x.words.of(uint32(w), sizeOf(w))
	for i := 0; i < len(groups); i += groupWords {
		if uint32(atomic.LoadUint64(&groups[i])>>32) == key {
			return atomic.LoadUint64(&groups[i+1])
		}
	}
	return 0
}

// place returns the word that holds an entry, or nil. For the writer.
func (x *Index) place(n *node, s side, f *far) *uint64 {
	entries := n.words(s)
	if w := entries[0]; w&listBit != 0 {
		if w&groupsBit != 0 {
			if w = x.groupIn(w, groupOf(f.label, s)); w == 0 {
				return nil
			}
			if w&setBit != 0 {
				word, _ := x.searchSet(w, s, f)
				return word
			}
		}
		entries = x.words.of(uint32(w), sizeOf(w))
	}
	if i, _ := x.search(entries, s, f); i >= 0 {
		return &entries[i]
	}
	return nil
}

// put adds an entry that is not in the list.
func (x *Index) put(n *node, s side, e uint64) {
	entries := n.words(s)
	first := &entries[0]
	if w := *first; w&listBit != 0 {
		if w&groupsBit != 0 {
			x.putGrouped(first, s, e)
			return
		}
		entries = x.words.of(uint32(w), sizeOf(w))
	}
	if *first&(listBit|tidyBit) == listBit|tidyBit {
		atomic.StoreUint64(first, *first&^tidyBit)
	}
	if fill(entries, e) {
		return
	}
	size := uint32(len(entries))
	if size < mostFlat {
		next := x.larger(entries, e)
		x.replace(first, next)
		return
	}
	x.replace(first, x.groups(append(append(make([]uint64, 0, size+1), entries...), e), s, writerBlocks{x}))
}

// fill puts an entry into an empty word, if there is one.
func fill(entries []uint64, e uint64) bool {
	for i := range entries {
		if entries[i] == 0 {
			atomic.StoreUint64(&entries[i], e)
			return true
		}
	}
	return false
}

// larger returns a larger block with the same entries at their places, and one more.
func (x *Index) larger(entries []uint64, e uint64) uint64 {
	size := uint32(len(entries))
	grown := min(mostFlat, size+size/2+1)
	start := x.takeBlock(grown)
	block := x.words.of(start, grown)
	copy(block, entries)
	block[size] = e
	return flatWord(start, grown)
}

// replace makes a word lead to another list and drops the one that it led to.
func (x *Index) replace(word *uint64, next uint64) {
	old := *word
	atomic.StoreUint64(word, next)
	if old&listBit == 0 {
		return // the entries in the node stay as they were, for readers in them
	}
	switch {
	case old&setBit != 0:
		x.dropSet(old)
	default:
		x.dropBlock(uint32(old), sizeOf(old))
	}
}

// dropList drops all blocks of a list.
func (x *Index) dropList(w uint64, _ side) {
	switch {
	case w&listBit == 0:
		return
	case w&setBit != 0:
		x.dropSet(w)
		return
	case w&groupsBit != 0:
		groups := x.words.of(uint32(w), sizeOf(w))
		for i := 0; i < len(groups); i += groupWords {
			x.dropList(groups[i+1], forward)
		}
	}
	x.dropBlock(uint32(w), sizeOf(w))
}

// groups makes a list of groups of entries that nobody reads yet.
func (x *Index) groups(entries []uint64, s side, b blocks) uint64 {
	var heads []uint64 // ascending
	for _, e := range entries {
		if e != 0 {
			heads = countIn(heads, groupOf(e, s))
		}
	}
	size := uint32(groupWords * len(heads))
	start := b.take(size)
	groups := b.of(start, size)
	part := make([]uint64, 0, len(entries))
	for i, head := range heads {
		part = part[:0]
		for _, e := range entries {
			if e != 0 && groupOf(e, s) == uint32(head>>32) {
				part = append(part, e)
			}
		}
		groups[groupWords*i], groups[groupWords*i+1] = head, x.group(part, s, b)
	}
	return groupsWord(start, size)
}

func countIn(heads []uint64, key uint32) []uint64 {
	at := len(heads)
	for i, head := range heads {
		if uint32(head>>32) == key {
			heads[i]++
			return heads
		}
		if uint32(head>>32) > key {
			at = i
			break
		}
	}
	heads = append(heads, 0)
	copy(heads[at+1:], heads[at:])
	heads[at] = groupHead(key, 1)
	return heads
}

// group makes the list of one group.
func (x *Index) group(entries []uint64, s side, b blocks) uint64 {
	if len(entries) > mostFlat {
		return x.newSet(entries, s, b)
	}
	size := uint32(len(entries))
	start := b.take(size)
	copy(b.of(start, size), entries)
	return flatWord(start, size)
}

func (x *Index) putGrouped(first *uint64, s side, e uint64) {
	key := groupOf(e, s)
	groups := x.words.of(uint32(*first), sizeOf(*first))
	for i := 0; i < len(groups); i += groupWords {
		if uint32(groups[i]>>32) == key {
			x.putInGroup(&groups[i+1], s, e)
			atomic.StoreUint64(&groups[i], groups[i]+1)
			return
		}
	}
	// A new group, at its place in the order.
	at := 0
	for at < len(groups) && uint32(groups[at]>>32) < key {
		at += groupWords
	}
	size := uint32(len(groups) + groupWords)
	start := x.takeBlock(size)
	next := x.words.of(start, size)
	copy(next, groups[:at])
	next[at], next[at+1] = groupHead(key, 1), x.group([]uint64{e}, s, writerBlocks{x})
	copy(next[at+groupWords:], groups[at:])
	old := *first
	atomic.StoreUint64(first, groupsWord(start, size))
	x.dropBlock(uint32(old), sizeOf(old))
}

func (x *Index) putInGroup(word *uint64, s side, e uint64) {
	w := *word
	if w&setBit != 0 {
		x.putInSet(word, s, e)
		return
	}
	entries := x.words.of(uint32(w), sizeOf(w))
	switch {
	case fill(entries, e):
	case len(entries) < mostFlat:
		x.replace(word, x.larger(entries, e))
	default:
		x.replace(word, x.newSet(append(append(make([]uint64, 0, len(entries)+1), entries...), e), s, writerBlocks{x}))
	}
}

// cut takes an entry out that no view sees.
func (x *Index) cut(n *node, s side, f *far) {
	first := &n.words(s)[0]
	if *first&listBit == 0 {
		atomic.StoreUint64(x.place(n, s, f), 0)
		return
	}
	if *first&groupsBit == 0 {
		atomic.StoreUint64(x.place(n, s, f), 0)
		x.shrink(first)
		return
	}
	groups := x.words.of(uint32(*first), sizeOf(*first))
	key, total := groupOf(f.label, s), uint32(0)
	for i := 0; i < len(groups); i += groupWords {
		if uint32(groups[i]>>32) == key {
			x.cutFromGroup(&groups[i+1], s, f, uint32(groups[i])-1)
			atomic.StoreUint64(&groups[i], groups[i]-1)
		}
		total += uint32(groups[i])
	}
	if total <= mostFlat/4 { // well below what made groups of it
		w := *first
		atomic.StoreUint64(first, x.flat(x.collect(nil, w)))
		x.dropList(w, s)
	}
}

func (x *Index) cutFromGroup(word *uint64, s side, f *far, left uint32) {
	w := *word
	if w&setBit == 0 {
		i, _ := x.search(x.words.of(uint32(w), sizeOf(w)), s, f)
		atomic.StoreUint64(x.words.at(uint32(w)+uint32(i)), 0)
		x.shrink(word)
		return
	}
	x.cutFromSet(word, s, f)
	if left <= mostFlat/2 {
		w = *word
		atomic.StoreUint64(word, x.flat(x.collect(nil, w)))
		x.dropSet(w)
	}
}

// shrink gives a block that is mostly empty a smaller one.
func (x *Index) shrink(word *uint64) {
	w := *word
	size := sizeOf(w)
	if size < 12 {
		return
	}
	live := x.collect(make([]uint64, 0, mostFlat), w)
	if len(live) >= int(size)/4 {
		return
	}
	atomic.StoreUint64(word, x.flat(live))
	x.dropBlock(uint32(w), size)
}

// flat makes a block of entries, with an empty word.
func (x *Index) flat(entries []uint64) uint64 {
	size := uint32(len(entries)) + 1
	start := x.takeBlock(size)
	copy(x.words.of(start, size), entries)
	return flatWord(start, size)
}

// collect appends all entries of a list.
func (x *Index) collect(entries []uint64, w uint64) []uint64 {
	x.eachEntry(w, func(e uint64) { entries = append(entries, e) })
	return entries
}

// eachEntry visits all entries of a list that is not in the node itself.
func (x *Index) eachEntry(w uint64, visit func(e uint64)) {
	switch {
	case w&groupsBit != 0:
		groups := x.words.of(uint32(w), sizeOf(w))
		for i := 0; i < len(groups); i += groupWords {
			x.eachEntry(groups[i+1], visit)
		}
	case w&setBit != 0:
		x.shards(w, func(h setShard) { visitEntries(h.slots(), visit) })
	default:
		visitEntries(x.words.of(uint32(w), sizeOf(w)), visit)
	}
}

func visitEntries(words []uint64, visit func(e uint64)) {
	for _, e := range words {
		if e != 0 && e != listBit {
			visit(e)
		}
	}
}
