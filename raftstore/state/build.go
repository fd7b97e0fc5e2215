package state

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// loadBatch is how many tuples are handed to a graph index at a time.
const loadBatch = 4096

// build makes the store's graph index from Badger, and recounts the digest and
// the counters on the way: files that lost a tuple do not go unnoticed.
func (st *store) build(txn *badger.Txn, at tuple.Revision) error {
	if st.deleted != 0 { // read below the head alone
		return nil
	}
	if st.disk {
		return st.verify(txn, st.stats)
	}
	st.index = graph.New()
	if err := st.index.Load(at, nil); err != nil { // it knows nothing of older revisions, even if it is empty
		return err
	}
	found, err := fillIndex(txn, st.id, st.index, at)
	if err != nil {
		return err
	}
	return found.compare(st.stats)
}

// fillIndex loads a store's tuples as they stood at the revision of txn into an
// index, and recounts them. One goroutine reads and sums up while another loads.
func fillIndex(txn *badger.Txn, id storeID, index *graph.Index, at tuple.Revision) (*stats, error) {
	batches, loaded := make(chan []graph.Tuple, 2), make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for rows := range batches {
			if err := index.Load(at, rows); err != nil {
				loaded <- err
				return
			}
		}
		loaded <- nil
	}()
	found, err := recount(txn, id, func(rows []graph.Tuple) error {
		select {
		case batches <- rows:
			return nil
		case <-stop:
			return errStop
		}
	})
	close(batches)
	if loadErr := <-loaded; loadErr != nil {
		return nil, loadErr
	}
	return found, err
}

// recount counts and sums up a store's tuples as they stood at the revision of
// txn, and hands them to each, if there is one, some at a time, for keeps.
func recount(txn *badger.Txn, id storeID, each func([]graph.Tuple) error) (*stats, error) {
	found := newStats()
	var rows []graph.Tuple
	for _, kind := range []byte{prefixTuple, prefixQuarantine} {
		err := eachRow(txn, keySpace(kind, id), nil, func(r row, rowKey, value []byte) (bool, error) {
			found.change(kind, r, rowKey, value, 1)
			if kind != prefixTuple || each == nil {
				return true, nil
			}
			if rows == nil {
				rows = make([]graph.Tuple, 0, loadBatch)
			}
			if rows = append(rows, graph.Tuple(r)); len(rows) < loadBatch {
				return true, nil
			}
			full := rows
			rows = nil
			return true, each(full)
		})
		if err != nil {
			return nil, err
		}
	}
	if len(rows) > 0 {
		return found, each(rows)
	}
	return found, nil
}

// eachRow visits the tuples under a prefix in key order, from a key on (nil: the
// first), with their attributes. visit returns false to stop.
func eachRow(txn *badger.Txn, prefix, from []byte, visit func(r row, rowKey, value []byte) (bool, error)) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	if from == nil {
		from = prefix
	}
	for it.Seek(from); it.Valid(); it.Next() {
		rowKey := it.Item().Key()[5:]
		r, err := parseRow(rowKey)
		if err != nil {
			return err
		}
		more := false
		err = it.Item().Value(func(v []byte) (err error) {
			if err = r.setValue(v); err == nil {
				more, err = visit(r, rowKey, v)
			}
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// compare says where a recount differs from what apply kept.
func (s *stats) compare(kept *stats) error {
	if s.Live != kept.Live || s.Quarantined != kept.Quarantined || s.Digest != kept.Digest {
		return fmt.Errorf("%w: %d live and %d quarantined tuples with digest %s, where there should be %d and %d with %s",
			ErrCorrupt, s.Live, s.Quarantined, s.Digest, kept.Live, kept.Quarantined, kept.Digest)
	}
	if len(s.Shapes) != len(kept.Shapes) {
		return fmt.Errorf("%w: tuples of %d shapes, where there should be %d", ErrCorrupt, len(s.Shapes), len(kept.Shapes))
	}
	for sh, n := range s.Shapes {
		if kept.Shapes[sh] != n {
			return fmt.Errorf("%w: %d tuples of one shape, where there should be %d", ErrCorrupt, n, kept.Shapes[sh])
		}
	}
	return nil
}
