package state

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Summary is what a node holds at one revision, short enough to be compared with
// what others hold there: two nodes with equal summaries give equal answers.
type Summary struct {
	Revision tuple.Revision `json:"revision"`
	Cluster  string         `json:"cluster"` // a hash of identity, members, the list of stores, and the log's time, floor and level
	Stores   []StoreSummary `json:"stores"`  // by name
}

// StoreSummary is what a node holds of one store at one revision.
type StoreSummary struct {
	Name        string         `json:"name"`
	ID          uint32         `json:"id"`
	Schema      tuple.Revision `json:"schema"` // that wrote the schema in force; 0: none
	Live        uint64         `json:"live"`
	Quarantined uint64         `json:"quarantined"`
	Digest      string         `json:"digest"` // of the tuples
	// State is a hash of everything that is kept of the store at the revision:
	// tuples, schemas, names. "" where nothing was recounted.
	State string `json:"state,omitzero"`
	// Fault says what a recount found to differ from what apply has counted.
	Fault string `json:"fault,omitzero"`
}

// Equal says whether two nodes hold the same, as far as both looked.
func (s Summary) Equal(o Summary) bool {
	return s.Revision == o.Revision && s.Cluster == o.Cluster && slices.EqualFunc(s.Stores, o.Stores, StoreSummary.Equal)
}

// Equal says whether two nodes hold the same of a store, as far as both looked.
func (s StoreSummary) Equal(o StoreSummary) bool {
	if s.State == "" || o.State == "" {
		s.State, o.State = "", ""
	}
	return s == o
}

// Fault returns the first fault that a recount found; "" where there is none.
func (s Summary) Fault() string {
	for _, st := range s.Stores {
		if st.Fault != "" {
			return fmt.Sprintf("store %q: %s", st.Name, st.Fault)
		}
	}
	return ""
}

// Recount says how thoroughly to look.
type Recount int

const (
	Kept      Recount = iota // what apply has counted; reads few keys
	Recounted                // everything on disk and in the graph indexes, resting half of the time
	Scrubbed                 // the same, resting most of the time
)

func (r Recount) pacer(ctx context.Context) *pacer {
	return &pacer{ctx: ctx, rest: map[Recount]int{Kept: 0, Recounted: 1, Scrubbed: 4}[r]}
}

// Summary says what this node holds at a revision; 0 is the newest. Errors:
// *RevisionError, ErrClosed, ErrCorrupt where it cannot be read, the context's.
func (s *State) Summary(ctx context.Context, at tuple.Revision, how Recount) (out Summary, err error) {
	err = guard(func() (err error) {
		out, err = s.summary(ctx, at, how)
		return err
	})
	return out, err
}

func (s *State) summary(ctx context.Context, at tuple.Revision, how Recount) (Summary, error) {
	p, stores, err := s.pinStores(at)
	if err != nil {
		return Summary{}, err
	}
	defer p.close()
	if how != Kept { // the entries' records, too, which no recount reads
		if err := p.gen.db.VerifyChecksum(); err != nil {
			return Summary{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	pace := how.pacer(ctx)
	out := Summary{Revision: p.revision, Stores: []StoreSummary{}}
	txn := p.txn()
	defer txn.Discard()
	if out.Cluster, err = summarizeCluster(txn, p.revision); err != nil {
		return Summary{}, err
	}
	if how != Kept {
		if err := checkDefinitions(txn, p.revision, stores); err != nil {
			return Summary{}, err
		}
	}
	for _, st := range stores {
		if err := pace.step(); err != nil {
			return Summary{}, err
		}
		found, err := p.summarize(txn, st, how, pace)
		if err != nil {
			return Summary{}, fmt.Errorf("store %q: %w", st.name, err)
		}
		out.Stores = append(out.Stores, found)
	}
	return out, nil
}

// pinned is a revision of everything, until close.
type pinned struct {
	s        *State
	gen      *generation
	revision tuple.Revision
}

// pinStores pins a revision and returns the stores that are there, by name.
func (s *State) pinStores(at tuple.Revision) (*pinned, []*store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, ErrClosed
	case at == 0:
		at = s.head.revision
	case at > s.head.revision:
		return nil, nil, s.revisionError(at, ErrAhead)
	case at < s.head.floor:
		return nil, nil, s.revisionError(at, ErrHistoryGone)
	}
	var stores []*store
	for _, st := range s.head.all {
		if st.existsAt(at) {
			stores = append(stores, st)
		}
	}
	slices.SortFunc(stores, func(a, b *store) int { return strings.Compare(a.name, b.name) })
	s.gen.refs++
	s.pins[at]++
	return &pinned{s: s, gen: s.gen, revision: at}, stores, nil
}

func (p *pinned) txn() *badger.Txn { return p.gen.db.NewTransactionAt(uint64(p.revision), false) }

func (p *pinned) close() {
	p.s.release(p.gen, p.revision)
}

// summarizeCluster hashes what concerns no store alone.
func summarizeCluster(txn *badger.Txn, at tuple.Revision) (string, error) {
	sum := sha256.New()
	for _, kind := range []byte{prefixStore, prefixMember} {
		if err := eachPair(txn, []byte{kind}, func(key, value []byte) error { return sumPair(sum, key, value) }); err != nil {
			return "", err
		}
	}
	if last := lastRecord(txn, at); last > 0 {
		r, ok, err := readRecord(txn, last)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the record of an entry is missing", ErrCorrupt)
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, last, r.Term, r.Time, r.Floor, r.Feature)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// sumPair adds a key and a value, each with its length in front.
func sumPair(sum hash.Hash, key, value []byte) error {
	var lengths [16]byte
	binary.BigEndian.PutUint64(lengths[:], uint64(len(key)))
	binary.BigEndian.PutUint64(lengths[8:], uint64(len(value)))
	sum.Write(lengths[:])
	sum.Write(key)
	sum.Write(value)
	return nil
}

func (p *pinned) summarize(txn *badger.Txn, st *store, how Recount, pace *pacer) (StoreSummary, error) {
	kept, err := loadStats(txn, st.id, p.revision)
	if err != nil {
		return StoreSummary{}, err
	}
	out := StoreSummary{Name: st.name, ID: uint32(st.id), Live: kept.Live, Quarantined: kept.Quarantined, Digest: kept.Digest.String()}
	if out.Schema, err = lastRevision(txn, prefixSchema, st.id, p.revision); err != nil || how == Kept {
		return out, err
	}
	if err := p.keepGraph(st); err != nil {
		return StoreSummary{}, err
	}
	found, err := recountStore(txn, st.id, pace)
	if err != nil {
		return StoreSummary{}, err
	}
	out.State, out.Live, out.Quarantined, out.Digest = found.state, found.Live, found.Quarantined, found.Digest.String()
	fault := found.compare(st, kept)
	if fault == nil {
		fault = p.compareGraph(st, found.live, pace)
	}
	if pace.ctx.Err() != nil {
		return StoreSummary{}, pace.ctx.Err()
	}
	if fault != nil {
		out.Fault = fault.Error()
	}
	return out, nil
}
