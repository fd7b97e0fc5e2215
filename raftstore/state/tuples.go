package state

import (
	"errors"
	"fmt"
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Tuples yields the tuples that a filter selects, in key order, behind after
// (nil: from the first). Expired ones at the log time of the view are left out.
// The order is that of the store's keys: by object type, object id, relation,
// subject type, subject id and subject relation, where types and relations go
// by their age in the store and ids byte by byte. An error is the last.
func (v *View) Tuples(f tuple.Filter, after *tuple.Key) iter.Seq2[tuple.Tuple, error] {
	return v.tuples(prefixTuple, f, after)
}

// Quarantined yields the tuples that a filter selects among those that a schema
// change took out of the graph, in the same order.
func (v *View) Quarantined(f tuple.Filter, after *tuple.Key) iter.Seq2[tuple.Tuple, error] {
	return v.tuples(prefixQuarantine, f, after)
}

func (v *View) tuples(kind byte, f tuple.Filter, after *tuple.Key) iter.Seq2[tuple.Tuple, error] {
	return func(yield func(tuple.Tuple, error) bool) {
		if v.closed {
			yield(tuple.Tuple{}, ErrClosed)
			return
		}
		n := v.st.names
		sel := n.selection(f)
		if sel.none {
			return
		}
		prefix := append(keySpace(kind, v.st.id), sel.prefix...)
		from := prefix
		if after != nil {
			r, ok := n.row(tuple.Tuple{Key: *after})
			if !ok {
				yield(tuple.Tuple{}, fmt.Errorf("%s is no tuple of this store", after))
				return
			}
			from = append(r.key(kind, v.st.id), 0) // no key is the beginning of another
		}
		txn := v.txn()
		defer txn.Discard()
		err := eachRow(txn, prefix, from, func(r row, _, _ []byte) (bool, error) {
			if !sel.selects(n, f, r) || kind == prefixTuple && r.expiredAt(v.logTime) {
				return true, nil
			}
			t, err := n.tuple(r)
			if err != nil {
				return false, err
			}
			if !yield(t, nil) {
				return false, errStop
			}
			if v.closed {
				return false, ErrClosed
			}
			return true, nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(tuple.Tuple{}, err)
		}
	}
}

// Counts says how many tuples a store holds at a revision.
type Counts struct {
	Live        uint64 // expired and not yet collected ones included
	Quarantined uint64
	Digest      Digest
	Shapes      []ShapeCount // of the live ones
}

// ShapeCount counts the live tuples of one shape.
type ShapeCount struct {
	Type      string
	Relation  string
	Subject   tuple.Subject // type, relation, and the id "*" for a wildcard
	Condition string
	Expires   bool
	Count     uint64
}

// Counts returns what apply has counted up to the view's revision. It reads no tuple.
func (v *View) Counts() (Counts, error) {
	if v.closed {
		return Counts{}, ErrClosed
	}
	txn := v.txn()
	defer txn.Discard()
	s, err := loadStats(txn, v.st.id, v.revision)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{Live: s.Live, Quarantined: s.Quarantined, Digest: s.Digest}
	for _, sh := range sortedShapes(s.Shapes) {
		typ, relation, subjectType, subjectRelation, condition := v.st.names.shapeNames(sh)
		sc := ShapeCount{Type: typ, Relation: relation, Condition: condition, Expires: sh.Expires, Count: s.Shapes[sh],
			Subject: tuple.Subject{Type: subjectType, Relation: subjectRelation}}
		if sh.Wildcard {
			sc.Subject.ID = tuple.Wildcard
		}
		c.Shapes = append(c.Shapes, sc)
	}
	return c, nil
}

// Verify recounts the store's tuples at the view's revision; ErrCorrupt where
// they are not those that apply has counted.
func (v *View) Verify() error {
	if v.closed {
		return ErrClosed
	}
	txn := v.txn()
	defer txn.Discard()
	kept, err := loadStats(txn, v.st.id, v.revision)
	if err != nil {
		return err
	}
	return v.st.verify(txn, kept)
}
