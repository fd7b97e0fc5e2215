package state

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// cleanStep is how many keys are removed at a time, and cleanPause how long the
// cleaner rests between, so that writes hardly wait for it.
const (
	cleanStep  = 2000
	cleanPause = 5 * time.Millisecond
)

// cleaner removes what no readable revision needs: records of entries and digests
// below the history floor, and stores that were deleted before it. Every node
// does so by itself; nothing that is replicated depends on it. It ends when done
// is closed.
func (s *State) cleaner() {
	defer close(s.cleaned)
	for {
		select {
		case <-s.done:
			return
		case <-s.dirty:
		}
		for {
			removed, err := s.clean(cleanStep)
			if err != nil {
				s.log.Error("removing what is below the history floor", "error", err)
			}
			if err != nil || removed == 0 {
				break
			}
			select {
			case <-s.done:
				return
			case <-time.After(cleanPause):
			}
		}
	}
}

// soil wakes the cleaner.
func (s *State) soil() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// clean removes at most some keys below the floor, and says how many.
func (s *State) clean(limit int) (int, error) {
	s.cleaning.Lock()
	defer s.cleaning.Unlock()
	s.mu.Lock()
	if s.closed || s.snapshots > 0 {
		s.mu.Unlock()
		return 0, nil
	}
	g, head := s.gen, s.head.revision
	to := s.removable()
	var gone, there []*store
	for _, st := range s.head.all {
		switch {
		case st.deleted == 0:
			there = append(there, st)
		case st.deleted <= to:
			gone = append(gone, st)
		}
	}
	g.refs++
	s.mu.Unlock()
	defer s.release(g)
	if to == 0 {
		return 0, nil
	}
	c := cleaning{limit: limit, to: to, txn: g.db.NewTransactionAt(uint64(head), false)}
	defer c.txn.Discard()
	c.records(g)
	if to > g.digestsCleaned {
		for _, st := range there {
			if err := c.digests(st.id); err != nil {
				return 0, err
			}
		}
		if len(c.keys) < limit {
			g.digestsCleaned = to
		}
	}
	var empty []*store
	for _, st := range gone {
		if c.store(st.id); len(c.keys) < limit {
			empty = append(empty, st)
		}
	}
	w := batch{db: g.db, at: uint64(to)}
	for _, key := range c.keys {
		w.put(key, cell{})
	}
	if err := w.commit(); err != nil {
		return 0, err
	}
	s.forget(g, empty)
	return len(c.keys), nil
}

// cleaning collects keys to remove.
type cleaning struct {
	txn   *badger.Txn
	to    tuple.Revision
	limit int
	keys  [][]byte
}

// add collects the keys under a prefix from one on, up to end (nil: all).
func (c *cleaning) add(prefix, from, end []byte) {
	it := c.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(from); it.Valid() && len(c.keys) < c.limit; it.Next() {
		if end != nil && bytes.Compare(it.Item().Key(), end) >= 0 {
			return
		}
		c.keys = append(c.keys, it.Item().KeyCopy(nil))
	}
}

// records collects the entries' records before the last one that the floor needs
// for its log time.
func (c *cleaning) records(g *generation) {
	kept := lastRecord(c.txn, c.to)
	c.add([]byte{prefixLog}, logKey(g.recordsCleaned, 0), logKey(kept, 0))
	if n := len(c.keys); n > 0 {
		g.recordsCleaned = tuple.Revision(binary.BigEndian.Uint64(c.keys[n-1][1:]))
	}
}

// digests collects a store's digest records before the full one that the floor needs.
func (c *cleaning) digests(id storeID) error {
	kept, err := keptDigest(c.txn, id, c.to)
	if err == nil && kept != nil {
		prefix := keySpace(prefixStats, id)
		c.add(prefix, prefix, kept)
	}
	return err
}

// keptDigest returns the key of the oldest digest record of a store that a
// revision needs: the last full one; nil where there is none.
func keptDigest(txn *badger.Txn, id storeID, at tuple.Revision) ([]byte, error) {
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: keySpace(prefixStats, id)})
	defer it.Close()
	for it.Seek(revisionKey(prefixStats, id, at)); it.Valid(); it.Next() {
		full := false
		err := it.Item().Value(func(v []byte) error {
			f := fields{b: v}
			f.byte()
			full = f.uint() == 0
			return f.err
		})
		if full || err != nil {
			return it.Item().KeyCopy(nil), err
		}
	}
	return nil, nil
}

// store collects all that is left of a deleted store, but its record.
func (c *cleaning) store(id storeID) {
	for _, kind := range []byte{prefixTuple, prefixReverse, prefixQuarantine, prefixExpiry, prefixSchema, prefixName, prefixStats} {
		prefix := keySpace(kind, id)
		c.add(prefix, prefix, nil)
	}
}

// forget drops deleted stores of which nothing is left. Their records stay: they
// are few bytes, and keep their numbers from being given again.
func (s *State) forget(g *generation, stores []*store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g != s.gen {
		return
	}
	for _, st := range stores {
		delete(s.head.all, st.id)
	}
}
