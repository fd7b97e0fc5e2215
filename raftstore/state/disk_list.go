package state

import (
	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Subjects is engine.Reader's.
func (d *diskReader) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return d.forward(object, relation, false, from, into)
}

// Row is engine.Reader's.
func (d *diskReader) Row(object tuple.Node, into []tuple.Edge) (int, bool, error) {
	o, err := d.object(object)
	if err != nil {
		return 0, false, err
	}
	l := diskList{d: d, kind: prefixTuple, prefix: d.under(prefixTuple, o), into: into, parse: parseRow, row: true,
		far: func(r row) (diskObject, tuple.RelationID) {
			return diskObject{r.SubjectType, r.SubjectID}, r.SubjectRelation
		}}
	n, next, err := l.read(0)
	return n, next == 0 && err == nil, err
}

// Usersets is engine.Reader's. The keys of a type that never had a relation are
// jumped over: no userset is among a million users.
func (d *diskReader) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return d.forward(object, relation, true, from, into)
}

func (d *diskReader) forward(object tuple.Node, relation tuple.RelationID, usersets bool, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	o, err := d.object(object)
	if err != nil {
		return 0, 0, err
	}
	l := diskList{d: d, kind: prefixTuple, into: into, parse: parseRow,
		far: func(r row) (diskObject, tuple.RelationID) {
			return diskObject{r.SubjectType, r.SubjectID}, r.SubjectRelation
		}}
	l.prefix = appendU32(d.under(prefixTuple, o), relation)
	l.key = func(s diskObject, relation tuple.RelationID) []byte {
		return appendU32(appendEscaped(appendU32(l.prefix[:len(l.prefix):len(l.prefix)], s.typ), s.id), relation)
	}
	if usersets {
		plain := map[tuple.TypeID]bool{}
		l.jump = func(r row) []byte {
			t := r.SubjectType
			if _, asked := plain[t]; !asked {
				plain[t] = len(d.names.relationsOf(t)) == 0
			}
			switch {
			case r.SubjectRelation != 0:
				return nil
			case plain[t]:
				return appendU32(l.prefix[:len(l.prefix):len(l.prefix)], t+1)
			}
			return append(r.key(prefixTuple, d.id), 0)
		}
	}
	return l.read(from)
}

// Objects is engine.Reader's.
func (d *diskReader) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	s, err := d.object(subject.Node)
	if err != nil {
		return 0, 0, err
	}
	l := diskList{d: d, kind: prefixReverse, into: into, parse: parseReverse,
		far: func(r row) (diskObject, tuple.RelationID) { return diskObject{r.ObjectType, r.ObjectID}, r.Relation }}
	base := appendU32(d.under(prefixReverse, s), subject.Relation)
	l.prefix = base
	if relation != 0 {
		l.prefix = appendU32(base, relation)
	}
	l.key = func(o diskObject, relation tuple.RelationID) []byte {
		return appendEscaped(appendU32(appendU32(base[:len(base):len(base)], relation), o.typ), o.id)
	}
	return l.read(from)
}

// diskList reads one chunk of edges: those whose keys begin with prefix.
type diskList struct {
	d      *diskReader
	kind   byte
	prefix []byte
	into   []tuple.Edge
	parse  func(rowKey []byte) (row, error)
	far    func(row) (diskObject, tuple.RelationID)
	key    func(diskObject, tuple.RelationID) []byte // of the row with that far end
	row    bool                                      // the edges say their relation
	jump   func(row) []byte                          // where to go on instead of taking the row; nil: take it
}

func (l *diskList) read(from tuple.Cursor) (int, tuple.Cursor, error) {
	start, err := l.start(from)
	if err != nil {
		return 0, 0, err
	}
	it, err := l.d.take(l.kind)
	if err != nil {
		return 0, 0, err
	}
	defer l.d.give(l.kind, it)
	n := 0
	var last tuple.Ref
	for it.Seek(start); it.ValidForPrefix(l.prefix); {
		if n == len(l.into) {
			return n, diskCursor(last), nil
		}
		r, err := l.parse(it.Item().Key()[5:])
		if err != nil {
			return 0, 0, err
		}
		if l.jump != nil {
			if next := l.jump(r); next != nil {
				it.Seek(next)
				continue
			}
		}
		if err := it.Item().Value(r.setValue); err != nil {
			return 0, 0, err
		}
		o, relation := l.far(r)
		last = tuple.Ref{Node: l.d.number(o), Relation: relation}
		l.into[n] = r.edge(last)
		if l.row {
			l.into[n].Relation = r.Relation
		}
		n++
		it.Next()
	}
	return n, 0, nil
}

// start is the key behind the one that a cursor names.
func (l *diskList) start(from tuple.Cursor) ([]byte, error) {
	if from == 0 {
		return l.prefix, nil
	}
	o, err := l.d.object(tuple.Node(from >> 32))
	if err != nil {
		return nil, err
	}
	return append(l.key(o, tuple.RelationID(uint32(from))), 0), nil
}

func diskCursor(last tuple.Ref) tuple.Cursor {
	return tuple.Cursor(last.Node)<<32 | tuple.Cursor(last.Relation)
}

// Nodes is engine.Reader's: what stands first in t keys and what stands first in
// r keys, merged by id.
func (d *diskReader) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
	after := ""
	if from != 0 {
		o, err := d.object(tuple.Node(from))
		if err != nil {
			return 0, 0, err
		}
		after = o.id
	}
	var ends [2]diskObjects
	for i, kind := range []byte{prefixTuple, prefixReverse} {
		it, err := d.take(kind)
		if err != nil {
			return 0, 0, err
		}
		defer d.give(kind, it)
		ends[i] = diskObjects{d: d, it: it, kind: kind, typ: t}
		if err := ends[i].seek(after, from != 0); err != nil {
			return 0, 0, err
		}
	}
	n := 0
	for ends[0].ok || ends[1].ok {
		id := ends[0].id
		if !ends[0].ok || ends[1].ok && ends[1].id < id {
			id = ends[1].id
		}
		if id != tuple.Wildcard {
			if n == len(into) {
				return n, tuple.Cursor(into[n-1]), nil
			}
			into[n] = d.number(diskObject{t, id})
			n++
		}
		for i := range ends {
			if ends[i].ok && ends[i].id == id {
				if err := ends[i].seek(id, true); err != nil {
					return 0, 0, err
				}
			}
		}
	}
	return n, 0, nil
}

// diskObjects walks the objects of one type that stand first in keys of a kind.
type diskObjects struct {
	d    *diskReader
	it   *badger.Iterator
	kind byte
	typ  tuple.TypeID
	id   string
	ok   bool
}

// seek goes to the first object, or to the first behind an id.
func (e *diskObjects) seek(id string, behind bool) error {
	key := appendU32(keySpace(e.kind, e.d.id), e.typ)
	prefix := key[:len(key):len(key)]
	if behind {
		key = appendEscaped(prefix, id)
		key[len(key)-1]++ // past the id's end, and before every longer id
	}
	e.it.Seek(key)
	if e.ok = e.it.ValidForPrefix(prefix); !e.ok {
		return nil
	}
	found, _, ok := cutEscaped(e.it.Item().Key()[len(prefix):])
	if !ok {
		return errCorruptKey
	}
	e.id = found
	return nil
}
