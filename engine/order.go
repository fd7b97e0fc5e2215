package engine

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// lineup is the candidates of a lookup, which are gone through in the order of
// their ids. They share the room for these, and have eight bytes that tell most
// apart beside them, so that to look for the first few of many does not allocate
// and hardly reads an id.
type lineup struct {
	list  []candidate
	text  []byte // the ids
	nodes [chunkSize]tuple.Node
	ends  [chunkSize]int
}

// candidate is a node that a lookup may find. A certain one needs no check.
type candidate struct {
	key     uint64 // of the id, the bytes behind what all have in common
	from    int    // where the id begins in text
	size    int32
	certain bool
	named   bool // a lookup of subjects met it where subjects are granted something
	ref     tuple.Ref
}

func (l *lineup) reset() { l.list, l.text = l.list[:0], l.text[:0] }

// add lines up what has an id without being a node.
func (l *lineup) add(id string) {
	l.list = append(l.list, candidate{from: len(l.text), size: int32(len(id))})
	l.text = append(l.text, id...)
}

func (l *lineup) bytes(c *candidate) []byte { return l.text[c.from : c.from+int(c.size)] }

func (l *lineup) id(c *candidate) string { return string(l.bytes(c)) }

func (l *lineup) compare(a, b *candidate) int {
	switch {
	case a.key < b.key:
		return -1
	case a.key > b.key:
		return 1
	}
	return bytes.Compare(l.bytes(a), l.bytes(b))
}

// firstFront is how many candidates are sorted first.
const firstFront = 256

// inOrder yields the candidates behind an id in the order of their ids, one of each
// id: what is true of one that was lined up twice is true. It sorts no further than
// it is asked: the first, then twice as many, and so on. So a page of a hundred out
// of a million costs little more than looking at each once.
func (l *lineup) inOrder(after string) iter.Seq[*candidate] {
	return func(yield func(*candidate) bool) {
		l.skip(after)
		l.keys()
		for rest, size := l.list, firstFront; len(rest) > 0; size *= 2 {
			front := l.front(rest, size)
			slices.SortFunc(front, func(a, b candidate) int { return l.compare(&a, &b) })
			for i := 0; i < len(front); {
				c := &front[i]
				for i++; i < len(front) && l.compare(c, &front[i]) == 0; i++ {
					c.certain, c.named = c.certain || front[i].certain, c.named || front[i].named
				}
				if !yield(c) {
					return
				}
			}
			rest = rest[len(front):]
		}
	}
}

// skip drops the candidates up to an id.
func (l *lineup) skip(after string) {
	if after != "" {
		l.list = slices.DeleteFunc(l.list, func(c candidate) bool { return string(l.bytes(&c)) <= after })
	}
}

// keys finds what the ids begin with alike, and keeps of each the bytes behind it.
func (l *lineup) keys() {
	if len(l.list) == 0 {
		return
	}
	alike := l.bytes(&l.list[0])
	for i := range l.list {
		id, n := l.bytes(&l.list[i]), 0
		for n < len(id) && n < len(alike) && id[n] == alike[n] {
			n++
		}
		alike = alike[:n]
	}
	l.text = append(l.text, make([]byte, 8)...) // so that eight bytes can be read of each
	for i := range l.list {
		c := &l.list[i]
		c.key = binary.BigEndian.Uint64(l.text[c.from+len(alike):])
		if left := int(c.size) - len(alike); left < 8 {
			c.key &^= 1<<(64-8*left) - 1
		}
	}
}

// front moves the first of a list before the others, and returns them: about as
// many as size, or all. What they come before is drawn, so that no choice of ids
// makes it slow.
func (l *lineup) front(list []candidate, size int) []candidate {
	for len(list) > 4*size {
		pivot := l.draw(list, size)
		n := 0
		for i := range list {
			if c := &list[i]; c.key < pivot.key || c.key == pivot.key && l.compare(c, &pivot) <= 0 {
				list[n], list[i] = list[i], list[n]
				n++
			}
		}
		if n == len(list) {
			break
		}
		list = list[:n]
	}
	return list
}

// draw returns a candidate before which, and it included, there are about size.
func (l *lineup) draw(list []candidate, size int) candidate {
	var drawn [64]candidate
	for i := range drawn {
		drawn[i] = list[rand.IntN(len(list))]
	}
	slices.SortFunc(drawn[:], func(a, b candidate) int { return l.compare(&a, &b) })
	return drawn[len(drawn)*size/len(list)]
}
