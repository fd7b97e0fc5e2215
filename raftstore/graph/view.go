package graph

import (
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is the graph as it stood at one revision, until Close, which comes after
// all reading. It satisfies the engine's Reader: any number of goroutines may
// read one view. The only error of its methods is ErrClosed, and of Object and
// Type also ErrUnknownNode.
type View struct {
	x        *Index
	revision tuple.Revision
	sequence uint64
	epoch    uint64
	at       moment
	closed   bool
}

// Revision returns the revision that the view was opened at.
func (v *View) Revision() tuple.Revision { return v.revision }

// Close lets go of the revision. The view is of no use afterwards; a second
// Close does nothing.
func (v *View) Close() {
	if !v.closed {
		v.closed = true
		v.x.release(v)
	}
}

// Keep lets the revision be asked for again for as long as Retain says, however
// much is written meanwhile.
func (v *View) Keep() {
	if !v.closed {
		v.x.keep(v.sequence)
	}
}

// Node returns the number of an object, or 0 when no tuple names it at this
// revision. The id "*" is the wildcard subject of the type.
func (v *View) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	if v.closed {
		return 0, ErrClosed
	}
	if uint32(t) == contextType {
		return 0, nil
	}
	n := v.x.nodeAt(v.x.seed.textTag(uint32(t), id), uint32(t), id, v.at)
	runtime.KeepAlive(v)
	return tuple.Node(n), nil
}

// Pair is Node for two objects. It first touches all that both will need, so that
// it waits for memory twice and not four times.
func (v *View) Pair(a, b tuple.ObjectName) (tuple.Node, tuple.Node, error) {
	switch {
	case v.closed:
		return 0, 0, ErrClosed
	case uint32(a.Type) == contextType || uint32(b.Type) == contextType:
		return 0, 0, nil
	}
	x := v.x
	tagA, tagB := x.seed.textTag(uint32(a.Type), a.ID), x.seed.textTag(uint32(b.Type), b.ID)
	firstA, firstB := atomic.LoadUint64(x.names.first(tagA)), atomic.LoadUint64(x.names.first(tagB))
	x.fetchNamed(firstA)
	x.fetchNamed(firstB)
	n, m := x.nodeAt(tagA, uint32(a.Type), a.ID, v.at), x.nodeAt(tagB, uint32(b.Type), b.ID, v.at)
	if m != 0 {
		x.fetchList(atomic.LoadUint64(&x.nodes.at(m).backward[0]))
	}
	runtime.KeepAlive(v)
	return tuple.Node(n), tuple.Node(m), nil
}

// fetchNamed has the node of an entry of names fetched.
func (x *Index) fetchNamed(e uint64) {
	if i := uint32(e); i != 0 && i < maxNodes {
		x.fetchNode(i)
	}
}

func (x *Index) fetchNode(n uint32) { prefetch(unsafe.Pointer(x.nodes.at(n))) }

// fetchList has the block fetched in which the list of a node begins, if it is one.
func (x *Index) fetchList(w uint64) {
	if w&(recordBit|listBit) == listBit {
		prefetch(unsafe.Pointer(x.words.at(uint32(w))))
	}
}

// Object returns the type and id of a node that this view gave.
func (v *View) Object(n tuple.Node) (tuple.TypeID, string, error) {
	o, err := v.node(n)
	if err != nil {
		return 0, "", err
	}
	if o == nil || !v.x.seen(o, v.at) {
		return 0, "", ErrUnknownNode
	}
	kind := v.x.runs.at(uint32(n) >> runBits).kind
	if kind == contextType {
		return 0, "", ErrUnknownNode
	}
	id := string(v.x.idOf(o))
	runtime.KeepAlive(v)
	return tuple.TypeID(kind), id, nil
}

// node returns a node by a number that may be any; nil where none has it.
func (v *View) node(n tuple.Node) (*node, error) {
	if v.closed {
		return nil, ErrClosed
	}
	if n >= maxNodes {
		return nil, nil
	}
	return v.x.nodes.find(uint32(n)), nil
}

// Type returns the type of a node that this view gave, and whether it is the
// wildcard. It does not look at the node, so ErrUnknownNode is not sure.
func (v *View) Type(n tuple.Node) (t tuple.TypeID, star bool, err error) {
	if v.closed {
		return 0, false, ErrClosed
	}
	var r *run
	if n < maxNodes {
		r = v.x.runs.find(uint32(n) >> runBits)
	}
	if r == nil || r.kind == contextType || r.kind == 0 {
		return 0, false, ErrUnknownNode
	}
	kind, star := r.kind, r.star
	runtime.KeepAlive(v)
	return tuple.TypeID(kind), star, nil
}

// Edge returns the tuple object#relation@subject, if there is one.
func (v *View) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	o, err := v.node(object)
	if o == nil {
		return tuple.Edge{}, false, err
	}
	f := farEnd(uint32(subject.Node), uint32(relation), uint32(subject.Relation))
	e := v.x.look(o, forward, &f)
	if e&recordBit == 0 {
		runtime.KeepAlive(v)
		return tuple.Edge{Ref: subject}, e != 0, nil
	}
	version := v.x.seenVersion(e, v.at)
	if version == nil {
		return tuple.Edge{}, false, nil
	}
	edge := v.x.edge(version, subject)
	runtime.KeepAlive(v)
	return edge, true, nil
}

func (x *Index) edge(v *version, end tuple.Ref) tuple.Edge {
	return tuple.Edge{Ref: end, Condition: tuple.ConditionID(v.condition), Context: x.contextOf(v), Expires: v.expires}
}

// Row reads all tuples of an object, of every relation, if there are at most as
// many as into has room for.
func (v *View) Row(object tuple.Node, into []tuple.Edge) (n int, whole bool, err error) {
	o, err := v.node(object)
	if o == nil {
		return 0, err == nil, err
	}
	if n, ok := v.x.plainRow(o, into); ok {
		runtime.KeepAlive(v)
		return n, true, nil
	}
	l := listing{x: v.x, n: o, side: forward, at: v.at, row: true, high: math.MaxUint32, into: into}
	n, whole = l.whole()
	runtime.KeepAlive(v)
	return n, whole, nil
}

// Subjects lists the direct subjects of object#relation.
func (v *View) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	r := min(uint32(relation), wide)
	return v.list(object, from, &listing{side: forward, relation: uint32(relation), low: r << 1, high: r<<1 | 1,
		mask: relationMask, label: label(r, 0), into: into})
}

// Usersets lists those direct subjects of object#relation that are usersets,
// however many others there are.
func (v *View) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	r := min(uint32(relation), wide)
	return v.list(object, from, &listing{side: forward, relation: uint32(relation), low: r << 1, high: r << 1,
		mask: relationMask, label: label(r, 0), into: into})
}

// Objects lists every object#relation that the subject is directly in; with
// relation 0, of whatever relation.
func (v *View) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error) {
	if from == 0 && relation != 0 {
		o, err := v.node(subject.Node)
		if o == nil {
			return 0, 0, err
		}
		if n, ok := v.x.plainEnds(o, uint32(relation), uint32(subject.Relation), into); ok {
			v.x.fetchEnds(into[:n])
			runtime.KeepAlive(v)
			return n, 0, nil
		}
	}
	l := listing{side: backward, relation: uint32(relation), subject: uint32(subject.Relation), into: into}
	l.low = min(uint32(subject.Relation), wide) << labelBits
	l.high = l.low | wide
	l.mask, l.label = subjectMask, label(uint32(relation), uint32(subject.Relation))
	if relation != 0 {
		l.mask = labelMask
		l.low |= min(uint32(relation), wide)
		l.high = l.low
	}
	n, next, err = v.list(subject.Node, from, &l)
	if relation != 0 {
		v.x.fetchEnds(into[:n])
	}
	return n, next, err
}

// fetchEnds has fetched what a walk upwards reads of the ends of edges. Who asks for
// the objects of one relation goes on from them.
func (x *Index) fetchEnds(ends []tuple.Edge) {
	for i := range ends {
		x.fetchNode(uint32(ends[i].Ref.Node))
	}
	for i := range ends {
		x.fetchList(atomic.LoadUint64(&x.nodes.at(uint32(ends[i].Ref.Node)).backward[0]))
	}
}

func (v *View) list(end tuple.Node, from tuple.Cursor, l *listing) (n int, next tuple.Cursor, err error) {
	l.n, err = v.node(end)
	if l.n == nil {
		return 0, 0, err
	}
	l.x, l.at = v.x, v.at
	n, next = l.read(from)
	runtime.KeepAlive(v)
	return n, next, nil
}

// Nodes lists every object of a type that a tuple names at this revision, as
// object or as subject, each once; the wildcard is not among them.
func (v *View) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (n int, next tuple.Cursor, err error) {
	if v.closed {
		return 0, 0, ErrClosed
	}
	i := uint32(from) // the number to look at next
	if from == 0 {
		p := (*v.x.populations.Load())[populationKey{kind: uint32(t)}]
		if p == nil || uint32(t) == contextType {
			return 0, 0, nil
		}
		i = p.first << runBits
	}
	for {
		if n == len(into) {
			return n, tuple.Cursor(i), nil
		}
		if v.x.seen(v.x.nodes.at(i), v.at) {
			into[n] = tuple.Node(i)
			n++
		}
		if i++; i&(1<<runBits-1) == 0 {
			if i = v.x.runs.at(i>>runBits-1).next.Load() << runBits; i == 0 {
				runtime.KeepAlive(v)
				return n, 0, nil
			}
		}
	}
}
