package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// record is what one entry did: the value of its l/ key.
type record struct {
	Prev    tuple.Revision // the entry before it that has a record; 0: none, or not known
	Base    Digest         // of all definitions after the entry, see definitions.go
	Term    uint64
	Time    int64 // log time, Unix nanoseconds
	Floor   tuple.Revision
	Feature uint32 // the cluster's level after the entry
	Marks   []mark
	Keys    []keyRecord
	Events  []event
	Effects []effect
}

// mark is a store's digest and counts after an entry that touched it.
type mark struct {
	Store       storeID
	Digest      Digest
	Live        uint64
	Quarantined uint64
}

// keyRecord remembers the answer to a write with an idempotency key.
type keyRecord struct {
	Store   storeID
	Key     string
	Body    [32]byte
	Created uint64
	Updated uint64
	Deleted uint64
}

// event is a change that is no tuple's.
type event struct {
	Store storeID
	Kind  byte
}

const (
	eventStoreCreated = 1 + iota
	eventStoreDeleted
	eventSchema
)

// effect is what an entry did to one tuple, over all of its commands.
type effect struct {
	Store storeID
	Kind  byte // prefixTuple or prefixQuarantine
	Row   []byte
	Had   bool // it was there before, with the value Old
	Has   bool // it is there now, with the value New
	Old   []byte
	New   []byte
}

// The versions of a record: the first one has neither Prev nor Base, so neither is
// compared.
const (
	recordVersion = 2
	plainVersion  = 1
)

// chunkBytes is the longest value of a Badger key: below the value threshold, so
// that nothing goes to the value log.
const chunkBytes = 512 << 10

func (r record) encode() []byte {
	b := []byte{recordVersion}
	for _, n := range []uint64{r.Term, uint64(r.Time), uint64(r.Floor), uint64(r.Feature), uint64(r.Prev)} {
		b = binary.AppendUvarint(b, n)
	}
	b = r.Base.append(b)
	b = binary.AppendUvarint(b, uint64(len(r.Marks)))
	for _, m := range r.Marks {
		b = m.Digest.append(binary.AppendUvarint(b, uint64(m.Store)))
		b = binary.AppendUvarint(binary.AppendUvarint(b, m.Live), m.Quarantined)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Keys)))
	for _, k := range r.Keys {
		b = appendString(binary.AppendUvarint(b, uint64(k.Store)), k.Key)
		b = append(b, k.Body[:]...)
		for _, n := range []uint64{k.Created, k.Updated, k.Deleted} {
			b = binary.AppendUvarint(b, n)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.Events)))
	for _, e := range r.Events {
		b = append(binary.AppendUvarint(b, uint64(e.Store)), e.Kind)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Effects)))
	for _, e := range r.Effects {
		b = append(binary.AppendUvarint(b, uint64(e.Store)), e.Kind, flag(e.Had)|flag(e.Has)<<1)
		b = appendBytes(b, e.Row)
		if e.Had {
			b = appendBytes(b, e.Old)
		}
		if e.Has {
			b = appendBytes(b, e.New)
		}
	}
	return b
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func decodeRecord(b []byte) (record, error) {
	f := fields{b: b}
	r, err := f.head()
	if err != nil {
		return record{}, err
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		e := effect{Store: storeID(f.uint()), Kind: f.byte()}
		flags := f.byte()
		e.Had, e.Has, e.Row = flags&1 != 0, flags&2 != 0, f.bytes()
		if e.Had {
			e.Old = f.bytes()
		}
		if e.Has {
			e.New = f.bytes()
		}
		r.Effects = append(r.Effects, e)
	}
	return r, f.err
}

// head reads a record up to its effects.
func (f *fields) head() (record, error) {
	version := f.byte()
	if version != recordVersion && version != plainVersion {
		return record{}, fmt.Errorf("%w: version %d of an entry's record", errCorruptKey, version)
	}
	r := record{Term: f.uint(), Time: int64(f.uint()), Floor: tuple.Revision(f.uint()), Feature: uint32(f.uint())}
	if version == recordVersion {
		r.Prev, r.Base = tuple.Revision(f.uint()), Digest{f.u64(), f.u64()}
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		r.Marks = append(r.Marks, mark{Store: storeID(f.uint()), Digest: Digest{f.u64(), f.u64()}, Live: f.uint(), Quarantined: f.uint()})
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		k := keyRecord{Store: storeID(f.uint()), Key: string(f.bytes())}
		for i := range k.Body {
			k.Body[i] = f.byte()
		}
		k.Created, k.Updated, k.Deleted = f.uint(), f.uint(), f.uint()
		r.Keys = append(r.Keys, k)
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		r.Events = append(r.Events, event{Store: storeID(f.uint()), Kind: f.byte()})
	}
	return r, f.err
}

// putChunked hands out a value in chunks, the first chunk last: whoever finds
// the first, finds all.
func putChunked(value []byte, put func(chunk int, value []byte)) error {
	chunks := (len(value) + chunkBytes - 1) / chunkBytes
	if chunks > 1<<16 {
		return fmt.Errorf("a record of %d bytes is too large", len(value))
	}
	for i := chunks - 1; i >= 0; i-- {
		part := value[i*chunkBytes : min((i+1)*chunkBytes, len(value))]
		if i == 0 {
			part = append(binary.AppendUvarint(nil, uint64(chunks)), part...)
		}
		put(i, part)
	}
	return nil
}

// getChunked reads a value that putChunked wrote; ok is false where there is none.
func getChunked(txn *badger.Txn, key func(chunk int) []byte) (value []byte, ok bool, err error) {
	first, ok, err := get(txn, key(0))
	if err != nil || !ok {
		return nil, false, err
	}
	f := fields{b: first}
	chunks := f.uint()
	if f.err != nil {
		return nil, false, f.err
	}
	value = f.b
	for i := 1; i < int(chunks); i++ {
		part, ok, err := get(txn, key(i))
		if err == nil && !ok {
			err = fmt.Errorf("%w: chunk %d of a record is missing", errCorruptKey, i)
		}
		if err != nil {
			return nil, false, err
		}
		value = append(value, part...)
	}
	return value, true, nil
}

// get reads one key; absent is no error.
func get(txn *badger.Txn, key []byte) (value []byte, ok bool, err error) {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	value, err = item.ValueCopy(nil)
	return value, err == nil, err
}

// readRecord returns the record of an entry; ok is false where the revision has
// none (Raft's own entries have no record).
func readRecord(txn *badger.Txn, rev tuple.Revision) (record, bool, error) {
	value, ok, err := getChunked(txn, func(chunk int) []byte { return logKey(rev, chunk) })
	if err != nil || !ok {
		return record{}, false, err
	}
	r, err := decodeRecord(value)
	return r, err == nil, err
}

// recordTime returns the log time of an entry from its first chunk, however long
// the record is; 0 for revision 0, before every entry.
func recordTime(txn *badger.Txn, rev tuple.Revision) (int64, error) {
	if rev == 0 {
		return 0, nil
	}
	first, ok, err := get(txn, logKey(rev, 0))
	if err == nil && !ok {
		err = fmt.Errorf("%w: the record of an entry is missing", ErrCorrupt)
	}
	if err != nil {
		return 0, err
	}
	f := fields{b: first}
	f.uint() // chunks
	if v := f.byte(); v != recordVersion && v != plainVersion && f.err == nil {
		return 0, fmt.Errorf("%w: version %d of an entry's record", errCorruptKey, v)
	}
	f.uint() // term
	return int64(f.uint()), f.err
}

// lastRecord returns the revision of the last record at or before a revision
// whose first chunk is there; 0 where there is none.
func lastRecord(txn *badger.Txn, at tuple.Revision) tuple.Revision {
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: []byte{prefixLog}})
	defer it.Close()
	for it.Seek(logKey(at, 1<<16-1)); it.Valid(); it.Next() {
		key := it.Item().Key()
		if len(key) == 11 && bytes.HasSuffix(key, []byte{0, 0}) {
			return tuple.Revision(binary.BigEndian.Uint64(key[1:]))
		}
	}
	return 0
}

// eachRecord calls visit with every record from one revision to another, both
// included, in order. It stops at the first error.
func eachRecord(txn *badger.Txn, from, to tuple.Revision, visit func(tuple.Revision, record) error) error {
	return eachEntry(txn, from, to, func(rev tuple.Revision, value []byte) error {
		r, err := decodeRecord(bytes.Clone(value)) // which keeps parts of it
		if err != nil {
			return err
		}
		return visit(rev, r)
	})
}

// eachHead is eachRecord without the effects, which are most of a record.
func eachHead(txn *badger.Txn, from, to tuple.Revision, visit func(tuple.Revision, record) error) error {
	return eachEntry(txn, from, to, func(rev tuple.Revision, value []byte) error {
		f := fields{b: value}
		r, err := f.head()
		if err != nil {
			return err
		}
		return visit(rev, r)
	})
}

// eachEntry visits the bytes of records, which visit may not keep.
func eachEntry(txn *badger.Txn, from, to tuple.Revision, visit func(rev tuple.Revision, value []byte) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefixLog}})
	defer it.Close()
	for it.Seek(logKey(from, 0)); it.Valid(); it.Next() {
		key := it.Item().Key()
		if len(key) != 11 || key[9] != 0 || key[10] != 0 {
			continue // a further chunk
		}
		rev := tuple.Revision(binary.BigEndian.Uint64(key[1:]))
		if rev > to {
			return nil
		}
		err := it.Item().Value(func(first []byte) error {
			f := fields{b: first}
			if f.uint() == 1 && f.err == nil { // the usual case: no further key to get
				return visit(rev, f.b)
			}
			value, ok, err := getChunked(txn, func(chunk int) []byte { return logKey(rev, chunk) })
			if err == nil && !ok {
				err = fmt.Errorf("%w: the record of an entry vanished", errCorruptKey)
			}
			if err != nil {
				return err
			}
			return visit(rev, value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
