package state

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// rewrites says whether a key is of an entry's record that says more than the
// selection holds: of other stores, or of the definitions and the floor of all.
func (p *Snapshot) rewrites(key []byte) bool {
	if !p.selection.Portable || key[0] != prefixLog {
		return false
	}
	last := logKey(tuple.Revision(p.Index), 0)
	return p.store != 0 || slices.Equal(key[:9], last[:9])
}

// record writes the record of an entry as it would be if there had been nothing
// but the selection, whole when its first chunk comes by.
func (p *Snapshot) record(txn *badger.Txn, out *streamWriter, key []byte) error {
	if key[9] != 0 || key[10] != 0 {
		return nil // a further chunk
	}
	rev := tuple.Revision(binary.BigEndian.Uint64(key[1:]))
	r, ok, err := readRecord(txn, rev)
	if err == nil && !ok {
		err = fmt.Errorf("%w: the record of an entry vanished", errCorruptKey)
	}
	if err != nil {
		return err
	}
	r.Base = Digest{}
	if uint64(rev) == p.Index {
		r.Floor = p.Floor
		if r.Base, err = p.definitions(txn); err != nil {
			return err
		}
	}
	if p.store != 0 {
		r.Marks = slices.DeleteFunc(r.Marks, func(m mark) bool { return m.Store != p.store })
		r.Keys = slices.DeleteFunc(r.Keys, func(k keyRecord) bool { return k.Store != p.store })
		r.Events = slices.DeleteFunc(r.Events, func(e event) bool { return e.Store != p.store })
		r.Effects = slices.DeleteFunc(r.Effects, func(e effect) bool { return e.Store != p.store })
	}
	chunks := map[int][]byte{}
	if err := putChunked(r.encode(), func(chunk int, value []byte) { chunks[chunk] = value }); err != nil {
		return err
	}
	for i := range len(chunks) {
		out.frame(false, uint64(rev), logKey(rev, i), chunks[i])
	}
	return nil
}

// definitions sums up the definitions that the selection holds at its revision.
func (p *Snapshot) definitions(txn *badger.Txn) (Digest, error) {
	var sum Digest
	add := func(kind byte, prefix []byte) error {
		return eachPair(txn, prefix, func(key, value []byte) error {
			sum = sum.add(digestOf(kind, key[1:], value))
			return nil
		})
	}
	stores := []byte{prefixStore}
	if p.store != 0 {
		stores = storeKey(p.store)
	}
	if err := add(prefixStore, stores); err != nil {
		return sum, err
	}
	for _, m := range p.marks {
		for _, kind := range []byte{prefixSchema, prefixName} {
			if err := add(kind, keySpace(kind, m.Store)); err != nil {
				return sum, err
			}
		}
	}
	return sum, nil
}
