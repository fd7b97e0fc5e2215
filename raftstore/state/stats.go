package state

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// shape is what the counters of live tuples are kept by: enough to say without a
// scan which tuples a new schema does not admit.
type shape struct {
	Relation        tuple.RelationID
	SubjectType     tuple.TypeID
	SubjectRelation tuple.RelationID
	Condition       tuple.ConditionID
	Wildcard        bool
	Expires         bool
}

func (r row) shape() shape {
	return shape{Relation: r.Relation, SubjectType: r.SubjectType, SubjectRelation: r.SubjectRelation,
		Condition: r.Condition, Wildcard: r.SubjectID == tuple.Wildcard, Expires: r.Expires != 0}
}

func compareShapes(a, b shape) int {
	return cmp.Or(cmp.Compare(a.Relation, b.Relation), cmp.Compare(a.SubjectType, b.SubjectType),
		cmp.Compare(a.SubjectRelation, b.SubjectRelation), cmp.Compare(a.Condition, b.Condition),
		cmp.Compare(a.flags(), b.flags()))
}

func (s shape) flags() byte {
	var f byte
	if s.Wildcard {
		f |= 1
	}
	if s.Expires {
		f |= 2
	}
	return f
}

// stats is what apply keeps of a store's tuples: digest and counts.
type stats struct {
	Digest      Digest
	Live        uint64
	Quarantined uint64
	Shapes      map[shape]uint64 // of live tuples; no zeros

	age     int                // records since the last full one
	touched map[shape]struct{} // since the last record
}

// fullStatsEvery bounds how many records of a store must be read to know all of
// its counters: each record holds the shapes that its entry touched, and every
// so many all of them.
const fullStatsEvery = 64

func newStats() *stats {
	return &stats{Shapes: map[shape]uint64{}, touched: map[shape]struct{}{}}
}

// change counts one tuple in (sign 1) or out (-1). r is what its key and value say.
func (s *stats) change(kind byte, r row, rowKey, value []byte, sign int) {
	d := digestOf(kind, rowKey, value)
	if sign > 0 {
		s.Digest = s.Digest.add(d)
	} else {
		s.Digest = s.Digest.sub(d)
	}
	if kind == prefixQuarantine {
		s.Quarantined += uint64(sign)
		return
	}
	s.Live += uint64(sign)
	sh := r.shape()
	s.touched[sh] = struct{}{}
	if s.Shapes[sh] += uint64(sign); s.Shapes[sh] == 0 {
		delete(s.Shapes, sh)
	}
}

// tally counts one tuple in, for a recount: it notes nothing for a record.
func (s *stats) tally(kind byte, r row, rowKey, value []byte) {
	s.Digest = s.Digest.add(digestOf(kind, rowKey, value))
	if kind == prefixQuarantine {
		s.Quarantined++
		return
	}
	s.Live++
	s.Shapes[r.shape()]++
}

// merged adds what another recount has found.
func (s *stats) merged(other *stats) {
	s.Digest = s.Digest.add(other.Digest)
	s.Live += other.Live
	s.Quarantined += other.Quarantined
	for sh, n := range other.Shapes {
		s.Shapes[sh] += n
	}
}

// record returns the next record of the store and starts a new one.
func (s *stats) record() []byte {
	full := s.age == 0
	shapes := make([]shape, 0, len(s.touched))
	if full {
		for sh := range s.Shapes {
			shapes = append(shapes, sh)
		}
	} else {
		for sh := range s.touched {
			shapes = append(shapes, sh)
		}
	}
	slices.SortFunc(shapes, compareShapes)
	b := binary.AppendUvarint([]byte{1}, uint64(s.age))
	b = s.Digest.append(b)
	b = binary.AppendUvarint(b, s.Live)
	b = binary.AppendUvarint(b, s.Quarantined)
	b = binary.AppendUvarint(b, uint64(len(shapes)))
	for _, sh := range shapes {
		b = binary.AppendUvarint(b, uint64(sh.Relation))
		b = binary.AppendUvarint(b, uint64(sh.SubjectType))
		b = binary.AppendUvarint(b, uint64(sh.SubjectRelation))
		b = binary.AppendUvarint(b, uint64(sh.Condition))
		b = append(b, sh.flags())
		b = binary.AppendUvarint(b, s.Shapes[sh])
	}
	clear(s.touched)
	s.age = (s.age + 1) % fullStatsEvery
	return b
}

// merge reads an older record into s: what s knows already stays.
func (s *stats) merge(b []byte, known map[shape]struct{}) (age int, err error) {
	f := fields{b: b}
	if v := f.byte(); v != 1 {
		return 0, fmt.Errorf("%w: version %d of a digest record", errCorruptKey, v)
	}
	age = int(f.uint())
	digest := Digest{Hi: f.u64(), Lo: f.u64()}
	live, quarantined := f.uint(), f.uint()
	if len(known) == 0 && s.age < 0 {
		s.Digest, s.Live, s.Quarantined = digest, live, quarantined
	}
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		sh := shape{Relation: tuple.RelationID(f.uint()), SubjectType: tuple.TypeID(f.uint()),
			SubjectRelation: tuple.RelationID(f.uint()), Condition: tuple.ConditionID(f.uint())}
		flags := f.byte()
		sh.Wildcard, sh.Expires = flags&1 != 0, flags&2 != 0
		count := f.uint()
		if _, ok := known[sh]; ok {
			continue
		}
		known[sh] = struct{}{}
		if count > 0 {
			s.Shapes[sh] = count
		}
	}
	return age, f.err
}

// loadStats reads a store's digest and counters as they stood at the revision of txn.
func loadStats(txn *badger.Txn, id storeID, at tuple.Revision) (*stats, error) {
	s := newStats()
	s.age = -1
	known := map[shape]struct{}{}
	it := txn.NewIterator(badger.IteratorOptions{Reverse: true, Prefix: keySpace(prefixStats, id)})
	defer it.Close()
	next := 0
	for it.Seek(revisionKey(prefixStats, id, at)); it.Valid(); it.Next() {
		var age int
		err := it.Item().Value(func(v []byte) (err error) {
			age, err = s.merge(v, known)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("the digest record of store %d: %w", id, err)
		}
		if s.age < 0 {
			s.age, next = age, (age+1)%fullStatsEvery
		}
		if age == 0 {
			s.age = next
			return s, nil
		}
	}
	if s.age >= 0 {
		return nil, fmt.Errorf("%w: store %d lacks its full digest record", errCorruptKey, id)
	}
	s.age = 0
	return s, nil
}

func sortedShapes(counts map[shape]uint64) []shape {
	return slices.SortedFunc(maps.Keys(counts), compareShapes)
}
