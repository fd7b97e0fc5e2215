package graph

import (
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Most lists are short and old: a few words in the node or one block of them,
// each of which says all there is to its tuple. These are read here, without what
// the other forms need (cursor.go); ok is false where a list is not of that kind.

// few returns the words in which all entries of a group stand, of a list that has
// no sets.
func (x *Index) few(entries []uint64, group uint32) (words []uint64, tidy, ok bool) {
	w := atomic.LoadUint64(&entries[0])
	if w&(recordBit|listBit) != listBit {
		return entries, false, true
	}
	if w&groupsBit != 0 {
		switch w = x.groupIn(w, group); {
		case w == 0:
			return nil, false, true
		case w&setBit != 0:
			return nil, false, false
		}
	}
	return x.words.of(uint32(w), sizeOf(w)), w&tidyBit != 0, true
}

// plainRow reads all tuples of an object.
func (x *Index) plainRow(o *node, into []tuple.Edge) (n int, ok bool) {
	words := o.forward[:]
	if w := atomic.LoadUint64(&words[0]); w&(recordBit|listBit) == listBit {
		if w&groupsBit != 0 {
			return 0, false
		}
		words = x.words.of(uint32(w), sizeOf(w))
	}
	for i := range words {
		e := atomic.LoadUint64(&words[i])
		if e == 0 {
			continue
		}
		if e&(recordBit|listBit) != 0 || n == len(into) {
			return 0, false
		}
		into[n] = tuple.Edge{
			Ref:      tuple.Ref{Node: tuple.Node(uint32(e)), Relation: tuple.RelationID(e>>subjectShift) & wide},
			Relation: tuple.RelationID(e>>relationShift) & wide,
		}
		n++
		if e&subjectMask == 0 { // an arrow may go on from there
			x.fetchNode(uint32(e))
		}
	}
	return n, true
}

// plainEnds lists the objects under whose relation a subject is named.
func (x *Index) plainEnds(o *node, relation, subjectRelation uint32, into []tuple.Edge) (n int, ok bool) {
	if relation >= wide || subjectRelation >= wide {
		return 0, false
	}
	want := label(relation, subjectRelation)
	words, tidy, ok := x.few(o.backward[:], groupOf(want, backward))
	if !ok {
		return 0, false
	}
	for i := range words {
		e := atomic.LoadUint64(&words[i])
		if e == 0 || (e^want)&labelMask != 0 {
			if e&(recordBit|listBit) == listBit {
				return 0, false
			}
			if tidy && n > 0 && e != 0 {
				return n, true
			}
			continue
		}
		if e&(recordBit|listBit) != 0 || n == len(into) {
			return 0, false
		}
		into[n] = tuple.Edge{Ref: tuple.Ref{Node: tuple.Node(uint32(e)), Relation: tuple.RelationID(relation)}}
		n++
	}
	return n, true
}
