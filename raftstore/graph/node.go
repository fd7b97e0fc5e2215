package graph

import (
	"encoding/binary"
	"sync/atomic"
)

// contextType is the type under which contexts are interned among the nodes.
const contextType = ^uint32(0)

// maxNodes bounds the numbers of nodes. Below tuple.MaxNode it leaves as many for
// a reader that lays one graph over another.
const maxNodes = 1 << 30

// node is an object that a tuple names, or that one named at a revision that a
// view may still see. It fills one cache line, in which a check finds what it
// reads of most objects: the few tuples of the object itself, and where those
// lie that name it as their subject. Contexts are nodes too, named by the tuples
// that carry them.
type node struct {
	life     atomic.Uint32 // nowhere, always, or the number of its newest lifetime
	refs     uint32        // writer's: tuples there that name it, once for each end
	length   uint16        // of the id
	kind     uint16        // the type, or manyTypes where it does not fit
	text     [20]byte      // the id, or the number of its block
	backward [1]uint64     // tuples that name it as subject: see list
	forward  [3]uint64     // tuples of the object: see list
}

// What a node's life says but for the numbers of lifetimes.
const (
	nowhere  = 0 // no view sees it
	always   = 1 // every view sees it
	lifetime = 2 // the first number of one
)

// nodeLife is one time that a node is there, from the first tuple that names it
// to the last.
type nodeLife struct {
	life
	node uint32
}

// manyTypes is the kind of a node whose type has a number that only its run holds.
const manyTypes = 1<<16 - 1

// run is 64 consecutive nodes of one type; wildcards have runs of their own. So
// the type of a number is known without the node, and a type's objects are
// listed without a list.
type run struct {
	kind uint32
	star bool
	next atomic.Uint32 // the type's next run, or 0
}

// population is the nodes of one type, or the wildcards of one.
type population struct {
	first, last uint32   // runs; last is the writer's
	used        uint32   // writer's: nodes taken of the last run
	free        []uint32 // writer's: nodes given back
}

type populationKey struct {
	kind uint32
	star bool
}

const runBits = pageBits

func (x *Index) idOf(n *node) []byte {
	length := uint32(n.length)
	if int(length) <= len(n.text) {
		return n.text[:length]
	}
	return bytesOf(x.words.of(binary.NativeEndian.Uint32(n.text[:]), wordsFor(length)))[:length]
}

func wordsFor(length uint32) uint32 { return (length + 7) / 8 }

// isNamed says whether a node is of a type and has an id.
func (x *Index) isNamed(i, kind uint32, id string) bool {
	n := x.nodes.at(i)
	return int(n.length) == len(id) && n.kind == uint16(min(kind, manyTypes)) && string(x.idOf(n)) == id &&
		(kind < manyTypes || x.runs.at(i>>runBits).kind == kind)
}

// seen says whether a node is there at a moment.
func (x *Index) seen(n *node, at moment) bool {
	l := n.life.Load()
	for l >= lifetime {
		t := x.lives.at(l)
		if t.seen(at) {
			return true
		}
		l = t.older.Load()
	}
	return l == always
}

// nodeAt returns the node of an object that is there at a moment, or 0.
func (x *Index) nodeAt(tag, kind uint32, id string, at moment) uint32 {
	slot := x.slot(tag, kind, id)
	if slot == nil {
		return 0
	}
	if i := uint32(atomic.LoadUint64(slot)); i != buriedName && x.seen(x.nodes.at(i), at) {
		return i
	}
	return 0
}

// nameNode returns the node of an object, new if need be.
func (x *Index) nameNode(kind uint32, id string) uint32 {
	tag := x.seed.textTag(kind, id)
	if slot := x.slot(tag, kind, id); slot != nil {
		return uint32(*slot)
	}
	i := x.takeNode(kind, kind != contextType && id == "*")
	x.nodes.at(i).name(kind, id, writerBlocks{x})
	x.names.insert(tag, i)
	return i
}

// name makes a node that nobody uses that of an object.
func (n *node) name(kind uint32, id string, b blocks) {
	n.refs, n.length, n.kind = 0, uint16(len(id)), uint16(min(kind, manyTypes))
	n.backward, n.forward = [1]uint64{}, [3]uint64{}
	if len(id) <= len(n.text) {
		copy(n.text[:], id)
		return
	}
	size := wordsFor(uint32(len(id)))
	start := b.take(size)
	copy(bytesOf(b.of(start, size)), id)
	binary.NativeEndian.PutUint32(n.text[:], start)
}

// enterNode counts a tuple that names a node.
func (x *Index) enterNode(i uint32, now moment) {
	n := x.nodes.at(i)
	if n.refs++; n.refs > 1 {
		return
	}
	older := n.life.Load()
	if x.loading && older == nowhere {
		n.life.Store(always)
		return
	}
	l := x.newLife(i, now, older)
	if older >= lifetime {
		x.lives.at(older).newer = l
	}
	n.life.Store(l)
	x.remember(nodeAdded, l)
}

func (x *Index) newLife(node uint32, added moment, older uint32) uint32 {
	if x.lives.next < lifetime {
		x.lives.next = lifetime
	}
	l := x.lives.take(x.memory)
	t := x.lives.at(l)
	t.node = node
	t.begin(added, older)
	return l
}

// leaveNode takes one tuple's naming away; without any the node is gone.
func (x *Index) leaveNode(i uint32, now moment) {
	n := x.nodes.at(i)
	if n.refs--; n.refs > 0 {
		return
	}
	l := n.life.Load()
	if l == always {
		l = x.newLife(i, 0, nowhere)
		x.lives.at(l).removed.Store(now)
		n.life.Store(l)
	} else {
		x.lives.at(l).removed.Store(now)
	}
	x.remember(nodeRemoved, l)
}

// settleNode makes a node always there, if it is still there.
func (x *Index) settleNode(l uint32) {
	t := x.lives.at(l)
	if t.removed.Load() != 0 {
		return // its removal waits too
	}
	x.nodes.at(t.node).life.Store(always)
	x.retire(limboLife, l, 0)
}

// endNode forgets a lifetime that no view sees any more, and the node with its last.
func (x *Index) endNode(l uint32) {
	t := x.lives.at(l)
	x.retire(limboLife, l, 0)
	if t.newer != 0 {
		x.lives.at(t.newer).older.Store(nowhere)
		return
	}
	n := x.nodes.at(t.node)
	kind, id := x.runs.at(t.node>>runBits).kind, string(x.idOf(n))
	tag := x.seed.textTag(kind, id)
	x.names.remove(tag, x.slot(tag, kind, id))
	n.life.Store(nowhere)
	x.dropList(n.forward[0], forward)
	x.dropList(n.backward[0], backward)
	x.retire(limboNode, t.node, 0)
}

// freeNode takes back a node that no reader stands in.
func (x *Index) freeNode(i uint32) {
	n := x.nodes.at(i)
	if length := uint32(n.length); int(length) > len(n.text) {
		x.words.give(binary.NativeEndian.Uint32(n.text[:]), wordsFor(length))
	}
	n.length = 0
	r := x.runs.at(i >> runBits)
	p := (*x.populations.Load())[populationKey{r.kind, r.star}]
	p.free = append(p.free, i)
	x.objects--
}

// takeNode returns a node of a type that nobody uses.
func (x *Index) takeNode(kind uint32, star bool) uint32 {
	p := x.population(populationKey{kind, star})
	x.objects++
	if i, ok := pop(p.free); ok {
		p.free = p.free[:len(p.free)-1]
		return i
	}
	if p.used == 1<<runBits {
		x.addRun(p, populationKey{kind, star})
		p.used = 0
	}
	p.used++
	return p.last<<runBits + p.used - 1
}

// population returns the nodes of a type, with one run at least.
func (x *Index) population(k populationKey) *population {
	all := *x.populations.Load()
	if p := all[k]; p != nil {
		return p
	}
	p := &population{}
	x.addRun(p, k)
	next := make(map[populationKey]*population, len(all)+1)
	for k, p := range all {
		next[k] = p
	}
	next[k] = p
	x.populations.Store(&next)
	return p
}

// addRun gives a type one run of nodes more, and returns its number. Run 0 stays
// unused, and with it node 0.
func (x *Index) addRun(p *population, k populationKey) uint32 {
	x.runs.next = max(x.runs.next, 1)
	i := x.runs.take(x.memory)
	r := x.runs.at(i)
	r.kind, r.star = k.kind, k.star
	x.nodes.ensure(i<<runBits, x.memory)
	x.nodes.next = (i + 1) << runBits
	if p.first == 0 {
		p.first = i
	} else {
		x.runs.at(p.last).next.Store(i)
	}
	p.last = i
	return i
}
