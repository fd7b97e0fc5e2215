package graph

import (
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// A cursor says where a list was read to: in which block, and behind which word.
// The block may have been replaced since; it stays as it was while the view is
// open. Which group it is of is known from the entry last read, and what comes
// behind the group is looked up anew: groups are in one order in every state of
// a list.
//
//	in the node, or a block of entries   size<<32 | start, and the word above
//	a block of one group                 the same
//	a set                                start, slot and shard
const (
	cursorFlat  = 0 << 60
	cursorGroup = 1 << 60
	cursorShard = 2 << 60
	cursorSet   = 3 << 60
	cursorKinds = 3 << 60

	wordBits    = 40 // of size and start, in a cursor of a block
	startBits   = 31
	cursorStart = 1<<startBits - 1
)

// listing reads a list of one end of a node as it stands at a moment.
type listing struct {
	x        *Index
	n        *node
	side     side
	at       moment
	relation uint32 // one that entries must have where their label does not tell; 0: any
	subject  uint32 // the same of the subject's relation
	low      uint32 // the groups to read, the first and the last
	high     uint32
	mask     uint64 // what of an entry must be as in label, at least
	label    uint64
	row      bool // the edges say their relation
	tidy     bool // the block that is read has the entries of a group side by side
	into     []tuple.Edge
	filled   int
}

// read fills into from a cursor on, and returns the cursor behind.
func (l *listing) read(from tuple.Cursor) (int, tuple.Cursor) {
	inline := l.n.words(l.side)
	start := uint32(from & cursorStart)
	switch {
	case from == 0:
		return l.filled, l.begin(l.low)
	case from&cursorKinds == cursorShard:
		return l.filled, l.goOn(l.set(setWord(start, 0), from))
	case from&cursorKinds == cursorSet:
		return l.filled, l.goOn(l.set(setWord(start, uint32(*l.x.words.at(start))), from))
	}
	size, word := uint32(from>>32)&(1<<(wordBits-32)-1), int(from>>wordBits&0xff)
	if start == 0 {
		return l.filled, l.flat(atomic.LoadUint64(&inline[0]), inline, word+1, 0)
	}
	entries := l.x.words.of(start, size)
	next := l.flat(atomic.LoadUint64(&entries[0]), entries, word+1, from&(cursorKinds|1<<wordBits-1))
	if from&cursorKinds == cursorGroup {
		return l.filled, l.goOn(next, groupOf(atomic.LoadUint64(&entries[word]), l.side))
	}
	return l.filled, next
}

// goOn reads the groups behind one that is read to its end.
func (l *listing) goOn(next tuple.Cursor, group uint32) tuple.Cursor {
	if next != 0 || group >= l.high {
		return next
	}
	return l.begin(group + 1)
}

// begin reads the list's groups from one on.
func (l *listing) begin(low uint32) tuple.Cursor {
	l.low = low
	inline := l.n.words(l.side)
	w := atomic.LoadUint64(&inline[0])
	if w&listBit == 0 {
		return l.flat(w, inline, 0, 0)
	}
	words := l.x.words.of(uint32(w), sizeOf(w))
	block := tuple.Cursor(sizeOf(w))<<32 | tuple.Cursor(uint32(w))
	if w&groupsBit == 0 {
		l.tidy = w&tidyBit != 0 && l.low == l.high
		return l.flat(atomic.LoadUint64(&words[0]), words, 0, block)
	}
	for i := 0; i < len(words); i += groupWords {
		key := uint32(atomic.LoadUint64(&words[i]) >> 32)
		if key < l.low {
			continue
		}
		if key > l.high {
			break
		}
		w := atomic.LoadUint64(&words[i+1])
		var next tuple.Cursor
		if w&setBit != 0 {
			next, _ = l.set(w, 0)
		} else {
			entries := l.x.words.of(uint32(w), sizeOf(w))
			next = l.flat(atomic.LoadUint64(&entries[0]), entries, 0, cursorGroup|tuple.Cursor(sizeOf(w))<<32|tuple.Cursor(uint32(w)))
		}
		if next != 0 {
			return next
		}
	}
	return 0
}

// flat reads entries from a word on; first is the first of them as it was loaded
// when the block was found. It returns 0 at the end.
func (l *listing) flat(first uint64, entries []uint64, from int, block tuple.Cursor) tuple.Cursor {
	met := false // an entry that is looked for
	for i := from; i < len(entries); i++ {
		e := first
		if i > 0 {
			e = atomic.LoadUint64(&entries[i])
		}
		if e == 0 || (e^l.label)&l.mask != 0 {
			if l.tidy && met && e != 0 {
				return 0
			}
			continue
		}
		met = true
		if key := groupOf(e, l.side); key < l.low || key > l.high || !l.take(e) {
			continue
		}
		if l.filled == len(l.into) {
			if block == 0 {
				block = 1 << 32 // the node's own words: any size, so that it is not the beginning
			}
			return tuple.Cursor(i)<<wordBits | block
		}
	}
	return 0
}

// whole reads a list that has no groups and fits into, or says that it is not so.
func (l *listing) whole() (int, bool) {
	entries := l.n.words(l.side)
	first := atomic.LoadUint64(&entries[0])
	if first&listBit != 0 {
		if first&groupsBit != 0 {
			return 0, false
		}
		entries = l.x.words.of(uint32(first), sizeOf(first))
		first = atomic.LoadUint64(&entries[0])
	}
	for i := range entries {
		e := first
		if i > 0 {
			e = atomic.LoadUint64(&entries[i])
		}
		if e == 0 {
			continue
		}
		if l.filled == len(l.into) {
			return 0, false
		}
		l.take(e)
	}
	return l.filled, true
}

// take adds what an entry says at the moment, if it is there.
func (l *listing) take(e uint64) bool {
	if e&recordBit == 0 {
		relation := uint32(e>>relationShift) & wide
		if l.side == forward {
			relation = uint32(e>>subjectShift) & wide
		}
		edge := &l.into[l.filled]
		*edge = tuple.Edge{Ref: tuple.Ref{Node: tuple.Node(uint32(e)), Relation: tuple.RelationID(relation)}}
		if l.row {
			edge.Relation = tuple.RelationID(e>>relationShift) & wide
		}
		l.filled++
		return true
	}
	v := l.x.seenVersion(e, l.at)
	if v == nil || l.relation != 0 && v.relation != l.relation || l.subject != 0 && v.subjectRelation != l.subject {
		return false
	}
	end := tuple.Ref{Node: tuple.Node(v.subject), Relation: tuple.RelationID(v.subjectRelation)}
	if l.side == backward {
		end = tuple.Ref{Node: tuple.Node(v.object), Relation: tuple.RelationID(v.relation)}
	}
	l.into[l.filled] = l.x.edge(v, end)
	if l.row {
		l.into[l.filled].Relation = tuple.RelationID(v.relation)
	}
	l.filled++
	return true
}

const (
	cursorSlot = startBits            // slotBits of the slot
	cursorPart = startBits + slotBits // the shard's place in the directory
)

// set reads a set from a cursor on, and returns the group it is of beside the
// cursor behind.
func (l *listing) set(w uint64, from tuple.Cursor) (next tuple.Cursor, group uint32) {
	depth := depthOf(w)
	part, slot := uint32(from>>cursorPart)&(1<<maxSetDepth-1), int(from>>cursorSlot)&(maxSetSlots-1)
	kind := tuple.Cursor(cursorShard)
	if depth > 0 {
		kind = cursorSet
	}
	if from == 0 {
		slot = -1
	}
	for first := true; part < 1<<depth; first = false {
		start := uint32(w)
		if depth > 0 {
			start = uint32(*l.x.words.at(start + 1 + part))
		}
		h := l.x.shardAt(start)
		slots := h.slots()
		if !first {
			slot = -1
		} else if slot >= 0 {
			group = groupOf(atomic.LoadUint64(&slots[slot]), l.side)
		}
		for slot++; slot < len(slots); slot++ {
			e := atomic.LoadUint64(&slots[slot])
			if e == 0 || e == listBit || !l.take(e) {
				continue
			}
			if l.filled == len(l.into) {
				return kind | tuple.Cursor(part)<<cursorPart | tuple.Cursor(slot)<<cursorSlot | tuple.Cursor(uint32(w)), group
			}
		}
		part += 1 << (depth - h.depth())
	}
	return 0, group
}
