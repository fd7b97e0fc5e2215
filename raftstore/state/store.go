package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// store is one store.
type store struct {
	id        storeID
	name      string
	created   tuple.Revision
	createdAt int64 // log time, Unix nanoseconds
	names     *names
	compiled  compiled
	disk      bool         // its graph is read from Badger's keys
	index     *graph.Index // nil where it is deleted or on disk

	// Apply's own, guarded by State.writing.
	stats     *stats
	changed   tuple.Revision // when a tuple last changed
	schema    tuple.Revision // of the current schema; 0: none
	admission *schema.Admission
	admitter  *schema.Admitter

	base        Digest   // of its schemas and names, see definitions.go
	fingerprint [32]byte // of everything that is kept of the schema
	digest      [32]byte // of its sources, as clients know it

	// Guarded by State.mu.
	deleted         tuple.Revision // 0: it exists
	publishedSchema tuple.Revision
	publishedMark   mark
}

// info describes the store as published. The caller holds State.mu.
func (st *store) info() command.StoreInfo {
	return command.StoreInfo{Name: st.name, ID: uint32(st.id), Created: st.created, Index: st.kind(),
		CreatedAt: time.Unix(0, st.createdAt).UTC(), SchemaRevision: st.publishedSchema}
}

// existsAt says whether the store is there at a revision. The caller holds State.mu.
func (st *store) existsAt(rev tuple.Revision) bool {
	return st.created <= rev && (st.deleted == 0 || rev < st.deleted)
}

func storeKey(id storeID) []byte { return keySpace(prefixStore, id) }

// The first byte of a store's record.
const (
	storeInMemory = 1 + iota
	storeOnDisk
)

// storeRecord is the value of an s/ key.
func (st *store) storeRecord(deleted tuple.Revision) []byte {
	version := byte(storeInMemory)
	if st.disk {
		version = storeOnDisk
	}
	b := appendString([]byte{version}, st.name)
	b = binary.AppendUvarint(b, uint64(st.created))
	b = binary.AppendUvarint(b, uint64(st.createdAt))
	return binary.AppendUvarint(b, uint64(deleted))
}

// kind says where the store's graph is read.
func (st *store) kind() command.StoreIndex {
	if st.disk {
		return command.IndexDisk
	}
	return command.IndexMemory
}

func parseStore(key, value []byte) (*store, error) {
	f := fields{b: value}
	version := f.byte()
	if len(key) != 5 || version != storeInMemory && version != storeOnDisk {
		return nil, fmt.Errorf("%w: store record %x", errCorruptKey, key)
	}
	st := &store{disk: version == storeOnDisk, id: storeID(binary.BigEndian.Uint32(key[1:])), name: string(f.bytes())}
	st.created, st.createdAt, st.deleted = tuple.Revision(f.uint()), int64(f.uint()), tuple.Revision(f.uint())
	return st, f.err
}

// loadStores reads every store as of the revision of txn.
func loadStores(txn *badger.Txn, at tuple.Revision) ([]*store, error) {
	var stores []*store
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefixStore}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		var st *store
		err := it.Item().Value(func(v []byte) (err error) {
			st, err = parseStore(it.Item().KeyCopy(nil), v)
			return err
		})
		if err == nil {
			err = st.load(txn, at)
		}
		if err != nil {
			return nil, err
		}
		stores = append(stores, st)
	}
	return stores, nil
}

// load reads what apply keeps of a store in memory.
func (st *store) load(txn *badger.Txn, at tuple.Revision) (err error) {
	if st.names, err = loadNames(txn, st.id); err != nil {
		return fmt.Errorf("the names of store %q: %w", st.name, err)
	}
	if st.deleted != 0 {
		st.stats = newStats()
		return nil
	}
	if st.stats, err = loadStats(txn, st.id, at); err != nil {
		return err
	}
	if st.changed, err = lastRevision(txn, prefixStats, st.id, at); err != nil {
		return err
	}
	stored, err := readSchema(txn, st.id, at)
	if err != nil {
		return fmt.Errorf("the schema of store %q: %w", st.name, err)
	}
	if stored != nil {
		kept, err := encodeSchema(stored.Command)
		if err != nil {
			return err
		}
		st.setSchema(stored.Revision, stored.Command.Admission, sha256.Sum256(kept), stored.Command.Digest())
	}
	st.publishedSchema, st.publishedMark = st.schema, st.mark()
	return nil
}

func (st *store) setSchema(rev tuple.Revision, a *schema.Admission, fingerprint, digest [32]byte) {
	st.schema, st.admission, st.admitter = rev, a, a.Index()
	st.fingerprint, st.digest = fingerprint, digest
}

// lastRevision returns the revision of the last key of a kind that is kept per
// store and revision, at or before at; 0 where there is none.
func lastRevision(txn *badger.Txn, kind byte, id storeID, at tuple.Revision) (tuple.Revision, error) {
	prefix := keySpace(kind, id)
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: prefix})
	defer it.Close()
	it.Seek(append(revisionKey(kind, id, at), 0xff, 0xff, 0xff))
	if !it.Valid() {
		return 0, nil
	}
	key := it.Item().Key()
	if len(key) < len(prefix)+8 {
		return 0, fmt.Errorf("%w: %x", errCorruptKey, key)
	}
	return tuple.Revision(binary.BigEndian.Uint64(key[len(prefix):])), nil
}

// mark is what apply holds of the store's tuples in memory.
func (st *store) mark() mark {
	return mark{Store: st.id, Digest: st.stats.Digest, Live: st.stats.Live, Quarantined: st.stats.Quarantined}
}
