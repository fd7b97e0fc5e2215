package graph

import "github.com/pemba-authz/pemba/schema/tuple"

// contextType is the type under which contexts are interned among the nodes.
const contextType = ^uint32(0)

// maxNodes bounds the numbers of nodes. Below tuple.MaxNode it leaves as many for
// a reader that lays one graph over another.
const maxNodes = 1 << 30

// node is one life of an object: from the first tuple that names it to the
// last. Named again later it gets another number, so a view that sees a node
// sees tuples that name it. Contexts live the same way, named by the tuples
// that carry them.
type node struct {
	life
	kind   uint32 // the type
	text   uint32 // the id, in texts
	length uint32
	refs   uint32 // writer's: edges not removed that name it, once for each end
	place  uint32 // writer's: in the adjacency of its type
}

func (x *Index) idOf(n *node) []byte { return x.texts.at(n.text, n.length) }

func (x *Index) matchNode(kind uint32, id string) func(uint32) bool {
	return func(i uint32) bool {
		n := x.nodes.at(i)
		return n.kind == kind && int(n.length) == len(id) && string(x.idOf(n)) == id
	}
}

// nodeAt returns the node of an object that is there at a moment, or 0.
func (x *Index) nodeAt(kind uint32, id string, at moment) uint32 {
	i := x.byID.get(x.seed.textTag(kind, id), x.matchNode(kind, id))
	for i != 0 {
		n := x.nodes.at(i)
		if n.seen(at) {
			return i
		}
		i = n.older.Load()
	}
	return 0
}

// liveNode returns the newest node of an object if it was not removed, or 0.
func (x *Index) liveNode(kind uint32, id string) uint32 {
	i := x.byID.get(x.seed.textTag(kind, id), x.matchNode(kind, id))
	if i != 0 && x.nodes.at(i).removed.Load() != 0 {
		return 0
	}
	return i
}

// nameNode returns the node of an object, new if need be, with one reference more.
func (x *Index) nameNode(kind uint32, id string, now moment) uint32 {
	tag := x.seed.textTag(kind, id)
	slot := x.byID.find(tag, x.matchNode(kind, id))
	var older uint32
	if slot != nil {
		older = uint32(slot.Load())
		if n := x.nodes.at(older); n.removed.Load() == 0 {
			n.refs++
			return older
		}
	}
	i := x.nodes.take()
	n := x.nodes.at(i)
	n.kind, n.text, n.length, n.refs = kind, x.texts.put(id), uint32(len(id)), 1
	n.begin(now, older)
	if older != 0 {
		x.nodes.at(older).newer = i
	}
	if slot != nil {
		slot.Store(entry(tag, i))
	} else {
		x.byID.insert(tag, i)
	}
	if n.listed(id) {
		x.byType.link(i)
	}
	return i
}

// listed says whether Nodes yields it: contexts and wildcards are no objects.
func (n *node) listed(id string) bool { return n.kind != contextType && id != tuple.Wildcard }

func (l *life) begin(now moment, older uint32) {
	l.added.Store(now)
	l.removed.Store(0)
	l.older.Store(older)
	l.newer = 0
}

// leaveNode takes one reference away; without any the node is gone.
func (x *Index) leaveNode(i uint32, now moment) {
	n := x.nodes.at(i)
	if n.refs--; n.refs == 0 {
		n.removed.Store(now)
		x.remember(retiredNode, i)
	}
}

// unlinkNode takes a node out that no view can see any more.
func (x *Index) unlinkNode(i uint32) {
	n := x.nodes.at(i)
	id := string(x.idOf(n))
	if n.newer != 0 {
		x.nodes.at(n.newer).older.Store(0)
	} else {
		tag := x.seed.textTag(n.kind, id)
		x.byID.remove(tag, x.byID.find(tag, x.matchNode(n.kind, id)))
	}
	if n.listed(id) {
		x.byType.unlink(i)
	}
	x.retire(limboNode, i)
}
