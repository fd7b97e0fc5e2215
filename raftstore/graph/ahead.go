package graph

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Ahead has fetched what walks that go down from these objects and up from these
// subjects read first: the entries of their names, then their nodes, then what
// their lists begin with, each for all of them before it goes on, so that it waits
// for memory three times and not three times for each.
func (v *View) Ahead(objects, subjects []tuple.ObjectName) {
	if v.closed {
		return
	}
	v.x.ahead(objects, forward)
	v.x.ahead(subjects, backward)
	runtime.KeepAlive(v)
}

// atOnce is how many objects are fetched at once.
const atOnce = 32

func (x *Index) ahead(names []tuple.ObjectName, s side) {
	var slots [atOnce]*uint64
	var nodes [atOnce]*node
	for ; len(names) > 0; names = names[min(atOnce, len(names)):] {
		some := names[:min(atOnce, len(names))]
		for i, name := range some {
			slots[i] = x.names.first(x.seed.textTag(uint32(name.Type), name.ID))
			prefetch(unsafe.Pointer(slots[i]))
		}
		for i := range some { // the node may be another than is looked for
			nodes[i] = nil
			if n := uint32(atomic.LoadUint64(slots[i])); n != 0 && n < maxNodes {
				if nodes[i] = x.nodes.find(n); nodes[i] != nil {
					prefetch(unsafe.Pointer(nodes[i]))
				}
			}
		}
		for _, n := range nodes[:len(some)] {
			if n != nil {
				x.fetchBeyond(n, s)
			}
		}
	}
}

// fetchBeyond has fetched what a walk reads after a node: the block of its list, or
// the nodes that its few entries lead to.
func (x *Index) fetchBeyond(n *node, s side) {
	words := n.words(s)
	if w := atomic.LoadUint64(&words[0]); w&(recordBit|listBit) == listBit {
		x.fetchList(w)
		return
	}
	for i := range words {
		if e := atomic.LoadUint64(&words[i]); e != 0 && e&(recordBit|listBit) == 0 {
			x.fetchNode(uint32(e))
		}
	}
}
