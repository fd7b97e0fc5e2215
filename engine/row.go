package engine

import "github.com/pemba-authz/pemba/schema/tuple"

// rowSize is the most tuples of an object that are read at once.
const rowSize = 16

// row is the tuples of the object that was asked about last. Most objects have
// few: to read them at once is to wait for memory once, however many relations
// are asked for.
type row struct {
	node  tuple.Node // 0: none
	whole bool       // the object has no other tuples
	count int
	edges [rowSize]tuple.Edge
}

// read makes the row that of an object, and says whether it is whole.
func (o *overlay) read(object tuple.Node) (whole bool, err error) {
	if o.row.node == object {
		return o.row.whole, nil
	}
	o.row.node = 0
	if o.row.count, o.row.whole, err = o.base.Row(object, o.row.edges[:]); err != nil {
		return false, err
	}
	o.row.node = object
	return o.row.whole, nil
}

// lacks says whether it is certain at once that an object has no tuple of a relation.
func (o *overlay) lacks(object tuple.Node, relation tuple.RelationID) (bool, error) {
	if o.forward != nil {
		return false, nil
	}
	if object&local != 0 {
		return true, nil
	}
	if whole, err := o.read(object); !whole || err != nil {
		return false, err
	}
	for i := range o.row.edges[:o.row.count] {
		if o.row.edges[i].Relation == relation {
			return false, nil
		}
	}
	return true, nil
}

// short lists what the row of an object says of a relation, if the row is whole
// and into has room for it.
func (o *overlay) short(object tuple.Node, relation tuple.RelationID, usersets bool, from tuple.Cursor, into []tuple.Edge) (n int, ok bool, err error) {
	if from != 0 || len(into) < rowSize {
		return 0, false, nil
	}
	if whole, err := o.read(object); !whole || err != nil {
		return 0, false, err
	}
	for i := range o.row.edges[:o.row.count] {
		if e := &o.row.edges[i]; e.Relation == relation && (!usersets || e.Ref.Relation != 0) {
			into[n] = *e
			n++
		}
	}
	return n, true, nil
}

// wholeRow returns the row of an object where it is all that the request sees of it.
func (o *overlay) wholeRow(object tuple.Node) (r *row, whole bool, err error) {
	if o.forward != nil || object&local != 0 {
		return nil, false, nil
	}
	whole, err = o.read(object)
	return &o.row, whole, err
}
