package state

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Snapshot is the state at one revision with its history down to the floor,
// pinned until Close. It copies nothing.
//
// The stream: a header, then frames, each a length and so many bytes (a key's
// version, or its removal), a zero length, a trailer with the digest of every
// store as apply holds it in memory, and the SHA-256 of all before it.
type Snapshot struct {
	Index, Term uint64
	Floor       tuple.Revision
	Time        time.Time // the log's
	Feature     uint32    // the cluster's level
	Cluster     command.ClusterID

	s         *State
	gen       *generation
	marks     []mark
	selection Selection
	store     storeID // the only one, where the selection names it
}

// Selection says what of a state goes into a snapshot.
type Selection struct {
	// Portable leaves out the cluster's identity and members: for another cluster to
	// begin from, which tokens and cursors of this one are not for.
	Portable bool
	// Bare leaves out the history: the newest revision is the only one inside. Only
	// for a Portable one.
	Bare bool
	// Store is the only store inside; "" is all. Only for a Portable one.
	Store string
}

// Snapshot pins the newest revision and all the history that can be read.
func (s *State) Snapshot() (*Snapshot, error) { return s.Select(Selection{}) }

// Select pins what a selection names of the newest revision. Errors:
// ErrStoreNotFound, ErrClosed.
func (s *State) Select(sel Selection) (*Snapshot, error) {
	s.cleaning.Lock() // no step of the cleaner is under way, and none begins
	defer s.cleaning.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	p := &Snapshot{Index: uint64(s.head.revision), Term: s.head.term, Floor: s.head.floor, Time: time.Unix(0, s.head.time).UTC(),
		Feature: s.head.feature, Cluster: s.head.cluster, s: s, gen: s.gen, selection: sel}
	if sel.Bare {
		p.Floor = s.head.revision
	}
	names := slices.Sorted(maps.Keys(s.head.stores))
	if sel.Store != "" {
		st := s.head.stores[sel.Store]
		if st == nil {
			return nil, fmt.Errorf("%w: %q", ErrStoreNotFound, sel.Store)
		}
		p.store, names = st.id, []string{sel.Store}
	}
	for _, name := range names {
		p.marks = append(p.marks, s.head.stores[name].publishedMark)
	}
	s.gen.refs++
	s.pins[p.Floor]++
	s.snapshots++
	return p, nil
}

// Close lets go of the history.
func (p *Snapshot) Close() {
	s := p.s
	s.mu.Lock()
	g := p.gen
	if p.gen = nil; g != nil {
		s.unpin(p.Floor)
		s.snapshots--
		s.soil()
	}
	s.mu.Unlock()
	if g != nil {
		s.release(g)
	}
}

// Size returns how many bytes Write writes, exactly. It reads all of them.
func (p *Snapshot) Size(ctx context.Context) (int64, error) {
	var n counter
	err := p.Write(ctx, &n)
	return int64(n), err
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// Write writes the stream. It is the same every time.
func (p *Snapshot) Write(ctx context.Context, w io.Writer) error {
	if p.gen == nil {
		return ErrClosed
	}
	sum := sha256.New()
	out := &streamWriter{ctx: ctx, w: bufio.NewWriterSize(io.MultiWriter(w, sum), 256<<10)}
	head := append([]byte(streamMagic), streamVersion)
	for _, n := range []uint64{p.Index, p.Term, uint64(p.Floor), p.bound()} {
		head = binary.BigEndian.AppendUint64(head, n)
	}
	out.write(head)
	if p.Index > 0 {
		if err := p.frames(out); err != nil {
			return err
		}
	}
	out.write([]byte{0})
	out.write(appendBytes(nil, encodeMarks(p.marks, out.count)))
	if err := out.flush(); err != nil {
		return fmt.Errorf("writing a snapshot: %w", err)
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

// bound is an estimate of the bytes on disk, for the receiver's check of space.
func (p *Snapshot) bound() uint64 {
	if p.store != 0 || p.selection.Bare { // little of what the files hold, perhaps
		const each = 512 // bytes of a tuple, with its place in tables that are merged meanwhile
		var tuples uint64
		for _, m := range p.marks {
			tuples += m.Live + m.Quarantined
		}
		return each*tuples + 4*memTableBytes
	}
	lsm, log := p.gen.db.Size()
	return uint64(lsm+log) + 4*memTableBytes
}

const (
	streamMagic   = "pemba state"
	streamVersion = 1
	maxFrame      = 2 << 20
)

// The first byte of a frame.
const (
	frameValue = iota
	frameRemoved
)

// frames writes every version that a revision from the floor on can see, and no
// other: two nodes at one revision and floor write the same. Badger's own way to
// stream would drop what lies under a removal.
func (p *Snapshot) frames(out *streamWriter) error {
	txn := p.gen.db.NewTransactionAt(p.Index, false)
	defer txn.Discard()
	needed, err := newNeed(txn, p)
	if err != nil {
		return err
	}
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	var last []byte
	skip := false // what follows of this key is not needed
	for it.Rewind(); it.Valid() && out.err == nil; it.Next() {
		item := it.Item()
		key := item.Key()
		if !bytes.Equal(key, last) {
			last = append(last[:0], key...)
			if skip, err = needed.skips(key); err != nil {
				return err
			}
		}
		if skip {
			continue
		}
		if p.rewrites(key) {
			if skip, err = true, p.record(txn, out, key); err != nil {
				return err
			}
			continue
		}
		removed := item.IsDeletedOrExpired()
		if item.Version() <= uint64(p.Floor) { // the newest one that the floor sees
			if skip = true; removed {
				continue
			}
		}
		err := item.Value(func(v []byte) error {
			out.frame(removed, item.Version(), key, v)
			return nil
		})
		if err != nil {
			return fmt.Errorf("reading for a snapshot: %w", err)
		}
	}
	return out.err
}

// need says which keys no revision from a floor on needs, whether or not the
// cleaner has come to them.
type need struct {
	*Snapshot
	txn    *badger.Txn
	floor  tuple.Revision
	record []byte           // the first entry's record that is needed
	gone   map[storeID]bool // stores deleted at or before the floor
	digest storeID          // whose digest record is in from
	from   []byte           // the first digest record of that store that is needed
}

func newNeed(txn *badger.Txn, p *Snapshot) (*need, error) {
	gone, err := removedStores(txn, p.Floor)
	return &need{Snapshot: p, txn: txn, floor: p.Floor, record: logKey(lastRecord(txn, p.Floor), 0), gone: gone}, err
}

func (n *need) skips(key []byte) (bool, error) {
	switch {
	case key[0] == prefixLog:
		return bytes.Compare(key, n.record) < 0, nil
	case key[0] == prefixMember:
		return n.selection.Portable, nil
	case len(key) < 5:
		return false, nil
	}
	id := storeID(binary.BigEndian.Uint32(key[1:]))
	if n.store != 0 && id != n.store {
		return true, nil
	}
	if key[0] == prefixStore {
		return false, nil
	}
	if n.gone[id] || key[0] != prefixStats {
		return n.gone[id], nil
	}
	if n.digest != id {
		from, err := keptDigest(n.txn, id, n.floor)
		if err != nil {
			return false, err
		}
		n.digest, n.from = id, from
	}
	return bytes.Compare(key, n.from) < 0, nil
}

// removedStores returns the stores that no revision from the floor on can see.
func removedStores(txn *badger.Txn, floor tuple.Revision) (map[storeID]bool, error) {
	gone := map[storeID]bool{}
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefixStore}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		err := it.Item().Value(func(v []byte) error {
			st, err := parseStore(it.Item().Key(), v)
			if err == nil && st.deleted != 0 && st.deleted <= floor {
				gone[st.id] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// Export writes a snapshot of the newest revision.
func (s *State) Export(ctx context.Context, w io.Writer) error {
	p, err := s.Snapshot()
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Write(ctx, w)
}
