package graph

import (
	"runtime"
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Closure lists the objects whose relation names a subject, and by the same
// relation those that name these, and so on. It declines where they do not fit
// into or are named many times, and where on the way there is a set, or a tuple
// that carries a condition or expires.
func (v *View) Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (n int, ok bool, err error) {
	o, err := v.node(subject.Node)
	if o == nil {
		return 0, err == nil, err
	}
	if uint32(relation) >= wide || uint32(subject.Relation) >= wide {
		return 0, false, nil
	}
	c := closure{x: v.x, at: v.at, nodes: into}
	ok = c.grow(o, label(uint32(relation), uint32(subject.Relation))) && c.close(label(uint32(relation), uint32(relation)))
	runtime.KeepAlive(v)
	return c.n, ok, nil
}

// closure gathers objects on the way up.
type closure struct {
	x     *Index
	at    moment
	nodes []tuple.Node
	n     int
	again int // how many tuples led to objects that were there already
}

// close goes by levels: it has fetched what it will read of all nodes of one before
// it reads the first, and so waits for memory twice a level.
func (c *closure) close(want uint64) bool {
	for from := 0; from < c.n; {
		level := c.nodes[from:c.n]
		from = c.n
		for _, node := range level {
			c.x.fetchList(atomic.LoadUint64(&c.x.nodes.at(uint32(node)).backward[0]))
		}
		for _, node := range level {
			if !c.grow(c.x.nodes.at(uint32(node)), want) {
				return false
			}
		}
	}
	return true
}

// grow adds the objects that name a node, with these relations.
func (c *closure) grow(o *node, want uint64) bool {
	words, tidy, ok := c.x.few(o.backward[:], groupOf(want, backward))
	if !ok {
		return false
	}
	met := false
	for i := range words {
		e := atomic.LoadUint64(&words[i])
		if (e^want)&labelMask != 0 {
			if e&(recordBit|listBit) == listBit {
				return false
			}
			if tidy && met && e != 0 {
				break
			}
			continue
		}
		met = true
		object, there, plain := c.x.plainObject(e, c.at)
		if !plain || e&(recordBit|listBit) == listBit {
			return false
		}
		if !there {
			continue
		}
		if among(c.nodes[:c.n], object) {
			if c.again++; c.again > len(c.nodes)/2 { // it goes through all of them each time
				return false
			}
			continue
		}
		if c.n == len(c.nodes) {
			return false
		}
		c.nodes[c.n] = object
		c.n++
		c.x.fetchNode(uint32(object))
	}
	return true
}

// plainObject returns the object of an entry in a subject's list, and whether it is
// there at a moment; plain is false where the tuple says more.
func (x *Index) plainObject(e uint64, at moment) (object tuple.Node, there, plain bool) {
	if e&recordBit == 0 {
		return tuple.Node(uint32(e)), true, true
	}
	v := x.seenVersion(e, at)
	if v == nil {
		return 0, false, true
	}
	return tuple.Node(v.object), true, v.condition == 0 && v.expires == 0
}

func among(nodes []tuple.Node, n tuple.Node) bool {
	for _, m := range nodes {
		if m == n {
			return true
		}
	}
	return false
}
