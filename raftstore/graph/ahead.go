package graph

import (
	"runtime"
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Ahead touches what walks that go down from these objects and up from these
// subjects read first: the entries of their names, then their nodes, then the
// beginnings of their lists, each for all of them before it goes on, so that it
// waits for memory three times and not three times for each.
func (v *View) Ahead(objects, subjects []tuple.ObjectName) {
	if v.closed {
		return
	}
	v.x.ahead(objects, func(n *node) *uint64 { return &n.forward[0] })
	v.x.ahead(subjects, func(n *node) *uint64 { return &n.backward[0] })
	runtime.KeepAlive(v)
}

// atOnce is how many objects are touched at once.
const atOnce = 32

func (x *Index) ahead(names []tuple.ObjectName, list func(*node) *uint64) {
	var entries [atOnce]uint64
	for ; len(names) > 0; names = names[min(atOnce, len(names)):] {
		some := names[:min(atOnce, len(names))]
		for i, name := range some {
			entries[i] = x.names.first(x.seed.textTag(uint32(name.Type), name.ID))
		}
		for i := range some {
			entries[i] = x.beginning(uint32(entries[i]), list)
		}
		for i := range some {
			if w := entries[i]; w&listBit != 0 {
				if word := x.words.find(uint32(w)); word != nil {
					atomic.LoadUint64(word)
				}
			}
		}
	}
}

// beginning returns the first word of a node's list; 0 where there is no such
// node. The node may be another than was looked for.
func (x *Index) beginning(number uint32, list func(*node) *uint64) uint64 {
	if number == 0 || number >= maxNodes {
		return 0
	}
	n := x.nodes.find(number)
	if n == nil {
		return 0
	}
	return atomic.LoadUint64(list(n))
}
