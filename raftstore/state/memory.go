package state

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// The bounds of the memory of idempotency keys. They are part of what apply
// does: a change of theirs takes a feature level.
const (
	memoryKeys      = 100_000 // most keys
	memoryRevisions = 1 << 17 // how far back, in entries' revisions
)

// memory holds the answers to recent writes with an idempotency key. It is
// rebuilt at start from the entries' records and is the same on every node: the
// newest entries whose keys together are at most memoryKeys, none older than
// memoryRevisions or the history floor.
type memory struct {
	answers map[memoryKey]memoryAnswer
	entries []memoryEntry  // oldest first
	horizon tuple.Revision // keys of this revision and before may be forgotten
}

type memoryKey struct {
	store storeID
	key   string
}

type memoryAnswer struct {
	revision tuple.Revision
	time     int64
	keyRecord
}

type memoryEntry struct {
	revision tuple.Revision
	keys     []keyRecord
}

func newMemory() *memory { return &memory{answers: map[memoryKey]memoryAnswer{}} }

func (m *memory) find(st storeID, key string) (memoryAnswer, bool) {
	a, ok := m.answers[memoryKey{st, key}]
	return a, ok
}

func (m *memory) add(rev tuple.Revision, time int64, k keyRecord) {
	m.answers[memoryKey{k.Store, k.Key}] = memoryAnswer{revision: rev, time: time, keyRecord: k}
}

// advance adds the keys of an entry and forgets what the bounds say. The answers
// were added while the entry was applied.
func (m *memory) advance(rev, floor tuple.Revision, keys []keyRecord) {
	if len(keys) > 0 {
		m.entries = append(m.entries, memoryEntry{rev, keys})
	}
	if rev > memoryRevisions {
		m.horizon = max(m.horizon, rev-memoryRevisions)
	}
	if floor > 0 {
		m.horizon = max(m.horizon, floor-1)
	}
	for len(m.entries) > 0 && (m.entries[0].revision <= m.horizon || len(m.answers) > memoryKeys) {
		oldest := m.entries[0]
		m.horizon = max(m.horizon, oldest.revision)
		for _, k := range oldest.keys {
			delete(m.answers, memoryKey{k.Store, k.Key})
		}
		m.entries[0] = memoryEntry{}
		m.entries = m.entries[1:]
	}
}

// loadMemory rebuilds the memory from the records up to a revision.
func loadMemory(txn *badger.Txn, at, floor tuple.Revision) (*memory, error) {
	m := newMemory()
	from := floor
	if at > memoryRevisions {
		from = max(from, at-memoryRevisions+1)
	}
	last := tuple.Revision(0)
	err := eachHead(txn, from, at, func(rev tuple.Revision, r record) error {
		if r.Prev != last && r.Prev >= max(from, 1) {
			return fmt.Errorf("%w: the records of entries between %d and %d are missing", ErrCorrupt, last, rev)
		}
		last = rev
		for _, k := range r.Keys {
			m.add(rev, r.Time, k)
		}
		m.advance(rev, r.Floor, r.Keys)
		return nil
	})
	m.advance(at, floor, nil)
	return m, err
}
