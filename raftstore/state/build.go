package state

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// spansPerCore is into how many spans, for each core, a store's tuples are split,
// so that all cores are done at about the same time.
const spansPerCore = 8

// build makes the store's graph index from Badger, and recounts the digest and
// the counters on the way: files that lost a tuple do not go unnoticed.
func (st *store) build(db *badger.DB, txn *badger.Txn, at tuple.Revision) error {
	if st.deleted != 0 { // read below the head alone
		return nil
	}
	if st.disk {
		return st.verify(txn, st.stats)
	}
	index, err := buildIndex(db, txn, st.id, at, st.stats)
	if err != nil {
		return err
	}
	st.index = index
	return nil
}

// buildIndex makes the graph index of a store's tuples as they stood at the
// revision of txn, on all cores; ErrCorrupt where the tuples are not those that
// apply has counted.
func buildIndex(db *badger.DB, txn *badger.Txn, id storeID, at tuple.Revision, kept *stats) (*graph.Index, error) {
	if kept.Live > math.MaxInt32 {
		return nil, graph.ErrFull
	}
	workers := runtime.GOMAXPROCS(0)
	work := append(split(db, keySpace(prefixTuple, id), workers*spansPerCore), span{prefix: keySpace(prefixQuarantine, id)})
	workers = min(workers, len(work))
	builder := graph.Build(at, int(kept.Live))
	found, faults := make([]*stats, workers), make([]error, workers)
	var next atomic.Int64
	var wg sync.WaitGroup
	for i := range workers {
		loader := builder.Loader()
		found[i] = newStats()
		wg.Go(func() {
			for faults[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(work) {
					return
				}
				if faults[i] = work[n].load(txn, found[i], loader); faults[i] != nil {
					next.Store(int64(len(work))) // nobody goes on
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, f := range found[1:] {
		found[0].merged(f)
	}
	if err := found[0].compare(kept); err != nil {
		return nil, err
	}
	return builder.Finish()
}

// load recounts the tuples of a span and adds those that are live to an index.
func (s span) load(txn *badger.Txn, found *stats, loader *graph.Loader) error {
	kind := s.prefix[0]
	return s.each(txn, func(r row, rowKey, value []byte) error {
		found.tally(kind, r, rowKey, value)
		if kind != prefixTuple {
			return nil
		}
		t := graph.Tuple(r)
		return loader.Add(&t)
	})
}

// recount counts and sums up a store's tuples as they stood at the revision of txn.
func recount(txn *badger.Txn, id storeID) (*stats, error) {
	found := newStats()
	for _, kind := range []byte{prefixTuple, prefixQuarantine} {
		err := span{prefix: keySpace(kind, id)}.each(txn, func(r row, rowKey, value []byte) error {
			found.tally(kind, r, rowKey, value)
			return nil
		})
		if err != nil {
			return nil, err
		}
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
