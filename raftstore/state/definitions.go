package state

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Definitions are what is kept beside tuples and what is made of them: the
// cluster's identity and members, the stores, and the schemas and names of the
// stores that are there. Apply keeps a digest of them in every entry's record, as
// it does of tuples, since a lost schema or number changes answers as well.

func isDefinition(kind byte) bool {
	return kind == prefixStore || kind == prefixMember || ofStore(kind)
}

// ofStore says whether a definition goes with its store.
func ofStore(kind byte) bool { return kind == prefixSchema || kind == prefixName }

// sumDefinitions brings the digest up to date with what the entry has written.
func (a *applier) sumDefinitions() error {
	s := a.s
	for name, c := range a.pending {
		if !isDefinition(name[0]) {
			continue
		}
		key := []byte(name)
		old, had, err := get(a.txn, key)
		if err != nil {
			return err
		}
		var change Digest
		if had {
			change = change.sub(digestOf(key[0], key[1:], old))
		}
		if c.present {
			change = change.add(digestOf(key[0], key[1:], c.value))
		}
		s.base = s.base.add(change)
		if ofStore(key[0]) {
			st := s.byID[storeOfKey(name)]
			st.base = st.base.add(change)
		}
	}
	for _, st := range a.dropped {
		s.base = s.base.sub(st.base)
		st.base = Digest{}
	}
	return nil
}

// recountDefinitions sums up what the revision of txn sees, and compares it with
// what the entry's record says; the zero digest is of a build that did not sum.
func (w *working) recountDefinitions(txn *badger.Txn) error {
	var found Digest
	add := func(kind byte, prefix []byte, to *Digest) error {
		return eachPair(txn, prefix, func(key, value []byte) error {
			*to = to.add(digestOf(kind, key[1:], value))
			return nil
		})
	}
	for _, kind := range []byte{prefixStore, prefixMember} {
		if err := add(kind, []byte{kind}, &found); err != nil {
			return err
		}
	}
	for _, st := range w.byName {
		st.base = Digest{}
		for _, kind := range []byte{prefixSchema, prefixName} {
			if err := add(kind, keySpace(kind, st.id), &st.base); err != nil {
				return err
			}
		}
		found = found.add(st.base)
	}
	if w.base != (Digest{}) && w.base != found {
		return fmt.Errorf("%w: the schemas, stores and members have digest %s, where there should be %s", ErrCorrupt, found, w.base)
	}
	w.base = found
	return nil
}

// checkDefinitions recounts the definitions at a revision, of the stores that are
// there.
func checkDefinitions(txn *badger.Txn, at tuple.Revision, stores []*store) error {
	w := working{byName: map[string]*store{}}
	for _, st := range stores {
		w.byName[st.name] = &store{id: st.id} // the recount writes into it
	}
	if last := lastRecord(txn, at); last > 0 {
		r, ok, err := readRecord(txn, last)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the record of an entry is missing", ErrCorrupt)
		}
		if err != nil {
			return err
		}
		w.base = r.Base
	}
	return w.recountDefinitions(txn)
}

// eachPair visits the keys under a prefix in order, with their values. Neither
// may be kept.
func eachPair(txn *badger.Txn, prefix []byte, visit func(key, value []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Seek(prefix); it.Valid(); it.Next() {
		item := it.Item()
		if err := item.Value(func(v []byte) error { return visit(item.Key(), v) }); err != nil {
			return err
		}
	}
	return nil
}
