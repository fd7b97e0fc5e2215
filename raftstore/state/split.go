package state

import (
	"bytes"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// span is a part of the keys under a prefix: those from one on and before
// another; nil is no bound.
type span struct{ prefix, from, to []byte }

// split cuts a store's tuples into at most so many spans of about as many tuples,
// by where Badger's tables begin and end. The tuples of an object are in one span.
func split(db *badger.DB, prefix []byte, most int) []span {
	var bounds [][]byte
	for _, t := range db.Tables() {
		for _, key := range [][]byte{t.Left, t.Right} {
			if len(key) <= 8 {
				continue
			}
			key = key[:len(key)-8] // without the version
			if bytes.HasPrefix(key, prefix) {
				if object := objectPrefix(key); object != nil {
					bounds = append(bounds, object)
				}
			}
		}
	}
	slices.SortFunc(bounds, bytes.Compare)
	bounds = slices.CompactFunc(bounds, bytes.Equal)
	last := span{prefix: prefix}
	var spans []span
	step := max(1, (len(bounds)+most-1)/most)
	for i := step - 1; i < len(bounds); i += step {
		last.to = bounds[i]
		spans = append(spans, last)
		last.from = bounds[i]
	}
	last.to = nil
	return append(spans, last)
}

// objectPrefix returns what the keys of all tuples of one tuple's object begin
// with; nil where the key is not a tuple's.
func objectPrefix(key []byte) []byte {
	const before = 5 + 4 // kind, store and type
	if len(key) < before {
		return nil
	}
	_, rest, ok := cutEscaped(key[before:])
	if !ok {
		return nil
	}
	return slices.Clone(key[:len(key)-len(rest)])
}

// each visits the tuples of the span in key order. What it hands over is the
// iterator's: visit keeps none of it.
func (s span) each(txn *badger.Txn, visit func(r row, rowKey, value []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: s.prefix})
	defer it.Close()
	from := s.from
	if from == nil {
		from = s.prefix
	}
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		if s.to != nil && bytes.Compare(item.Key(), s.to) >= 0 {
			return nil
		}
		rowKey := item.Key()[5:]
		r, err := borrowRow(rowKey)
		if err != nil {
			return err
		}
		err = item.Value(func(v []byte) error {
			if err := r.setValue(v); err != nil {
				return err
			}
			return visit(r, rowKey, v)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
