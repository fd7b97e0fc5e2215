package state

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// verify recounts the store's tuples as they stood at the revision of txn, in
// both directions where it has keys for both. ErrCorrupt where they are not
// those that apply has counted.
func (st *store) verify(txn *badger.Txn, kept *stats) error {
	found, err := recount(txn, st.id, nil)
	if err == nil {
		err = found.compare(kept)
	}
	if err != nil || !st.disk {
		return err
	}
	if found, err = recountReverse(txn, st.id); err != nil {
		return err
	}
	if err := found.compare(kept); err != nil {
		return fmt.Errorf("walked from the subjects: %w", err)
	}
	return nil
}

// recountReverse is recount by the reverse keys of a store on disk.
func recountReverse(txn *badger.Txn, id storeID) (*stats, error) {
	found := newStats()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: keySpace(prefixReverse, id)})
	defer it.Close()
	var rowKey []byte
	for it.Rewind(); it.Valid(); it.Next() {
		r, err := parseReverse(it.Item().Key()[5:])
		if err != nil {
			return nil, err
		}
		rowKey = r.appendRow(rowKey[:0])
		err = it.Item().Value(func(v []byte) error {
			if err := r.setValue(v); err != nil {
				return err
			}
			found.change(prefixTuple, r, rowKey, v, 1)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err := eachRow(txn, keySpace(prefixQuarantine, id), nil, func(r row, rowKey, value []byte) (bool, error) {
		found.change(prefixQuarantine, r, rowKey, value, 1)
		return true, nil
	})
	return found, err
}
