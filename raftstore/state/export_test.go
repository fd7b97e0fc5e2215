package state

import (
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/graph"
)

// Compact makes Badger merge its tables, dropping what it may. What is in memory
// only stays: close and open first.
func (s *State) Compact() error { return s.gen.db.Flatten(1) }

// Clean removes all that the cleaner may remove, and says how many keys.
func (s *State) Clean() (int, error) {
	total := 0
	for {
		n, err := s.clean(cleanStep)
		total += n
		if n == 0 || err != nil {
			return total, err
		}
	}
}

// Versions counts the versions of keys that Badger still has.
func (s *State) Versions() (n int) {
	txn := s.gen.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		n++
	}
	return n
}

// Pins says how many revisions are pinned.
func (s *State) Pins() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.pins)
}

// Waiters says how many wait for a revision.
func (s *State) Waiters() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.waiters)
}

// BreakGraph takes a tuple out of a store's graph index, as damaged memory might.
func (s *State) BreakGraph(name string) error {
	st := s.byName[name]
	txn := s.gen.db.NewTransactionAt(uint64(s.index), false)
	defer txn.Discard()
	var lost graph.Change
	err := eachRow(txn, keySpace(prefixTuple, st.id), nil, func(r row, _, _ []byte) (bool, error) {
		lost = graph.Change{Remove: true, Tuple: graph.Tuple(r)}
		return false, nil
	})
	if err != nil {
		return err
	}
	return st.index.Apply(s.index, []graph.Change{lost})
}

// BreakDisk closes Badger under the state's feet.
func (s *State) BreakDisk() error { return s.gen.db.Close() }

// Unsettled says how many graph indexes the settler looks after.
func (s *State) Unsettled() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.unsettled)
}
