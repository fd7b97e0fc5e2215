package state

import (
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// diskReader reads the graph of a store on disk from Badger's keys, at any
// revision that is kept: t keys from the object, r keys from the subject. A
// node's number is given when the reader meets the object, so it holds in memory
// what its request has met and nothing else.
//
// A cursor is the last far end that was read, so that going on is one seek.
type diskReader struct {
	id    storeID
	names *names
	txn   *badger.Txn

	mu      sync.Mutex // guards what follows; not held while Badger reads
	numbers map[diskObject]tuple.Node
	objects []diskObject // by number; [0] is none
	idle    map[byte][]*badger.Iterator
	all     []*badger.Iterator
	closed  bool
}

type diskObject struct {
	typ tuple.TypeID
	id  string
}

func newDiskReader(v *View) *diskReader {
	return &diskReader{id: v.st.id, names: v.st.names, txn: v.txn(),
		numbers: map[diskObject]tuple.Node{}, objects: make([]diskObject, 1), idle: map[byte][]*badger.Iterator{}}
}

// take lends an iterator over the store's keys of one kind; give takes it back.
// Making one opens every table, a seek does not.
func (d *diskReader) take(kind byte) (*badger.Iterator, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	if free := d.idle[kind]; len(free) > 0 {
		d.idle[kind] = free[:len(free)-1]
		return free[len(free)-1], nil
	}
	it := d.txn.NewIterator(badger.IteratorOptions{Prefix: keySpace(kind, d.id)})
	d.all = append(d.all, it)
	return it, nil
}

func (d *diskReader) give(kind byte, it *badger.Iterator) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle[kind] = append(d.idle[kind], it)
}

// number returns the number of an object that a tuple names.
func (d *diskReader) number(o diskObject) tuple.Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, ok := d.numbers[o]
	if !ok {
		n = tuple.Node(len(d.objects))
		d.numbers[o], d.objects = n, append(d.objects, o)
	}
	return n
}

func (d *diskReader) object(n tuple.Node) (diskObject, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return diskObject{}, ErrClosed
	case n == 0 || int(n) >= len(d.objects):
		return diskObject{}, fmt.Errorf("no object has the number %d", n)
	}
	return d.objects[n], nil
}

// under returns a key, or the beginning of keys: the object's own part.
func (d *diskReader) under(kind byte, o diskObject) []byte {
	b := make([]byte, 0, 40+2*len(o.id))
	return appendEscaped(appendU32(appendU32(append(b, kind), d.id), o.typ), o.id)
}

// Node is engine.Reader's.
func (d *diskReader) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	o := diskObject{t, id}
	d.mu.Lock()
	n, known := d.numbers[o]
	d.mu.Unlock()
	if known {
		return n, nil
	}
	for _, kind := range []byte{prefixTuple, prefixReverse} {
		it, err := d.take(kind)
		if err != nil {
			return 0, err
		}
		prefix := d.under(kind, o)
		it.Seek(prefix)
		named := it.ValidForPrefix(prefix)
		d.give(kind, it)
		if named {
			return d.number(o), nil
		}
	}
	return 0, nil
}

// Pair is engine.Reader's.
func (d *diskReader) Pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, err = d.Node(a.Type, a.ID); err == nil {
		m, err = d.Node(b.Type, b.ID)
	}
	return n, m, err
}

// Object is engine.Reader's.
func (d *diskReader) Object(n tuple.Node) (tuple.TypeID, string, error) {
	o, err := d.object(n)
	return o.typ, o.id, err
}

// IDs is engine.Reader's.
func (d *diskReader) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	return tuple.IDs(d.Object, nodes, text, ends)
}

// Type is engine.Reader's.
func (d *diskReader) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	o, err := d.object(n)
	return o.typ, o.id == tuple.Wildcard, err
}

// Edge is engine.Reader's.
func (d *diskReader) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	o, err := d.object(object)
	if err != nil {
		return tuple.Edge{}, false, err
	}
	s, err := d.object(subject.Node)
	if err != nil {
		return tuple.Edge{}, false, err
	}
	r := row{ObjectType: o.typ, ObjectID: o.id, Relation: relation, SubjectType: s.typ, SubjectID: s.id, SubjectRelation: subject.Relation}
	value, ok, err := get(d.txn, r.key(prefixTuple, d.id))
	if err == nil && ok {
		err = r.setValue(value)
	}
	if err != nil || !ok {
		return tuple.Edge{}, false, err
	}
	return r.edge(subject), true, nil
}

// edge is the row seen from one end.
func (r row) edge(end tuple.Ref) tuple.Edge {
	return tuple.Edge{Ref: end, Condition: r.Condition, Context: r.Context, Expires: r.Expires}
}

// Closure is engine.Reader's. It declines: to wait for a disk, Objects does as well.
func (d *diskReader) Closure(tuple.Ref, tuple.RelationID, []tuple.Node) (int, bool, error) {
	return 0, false, nil
}

// Close gives the revision back to Badger. Nothing of the reader may be in use.
func (d *diskReader) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed = true
	for _, it := range d.all {
		it.Close()
	}
	d.txn.Discard()
}
