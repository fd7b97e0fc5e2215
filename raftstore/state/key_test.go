package state

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// randomRow draws from ids that try to run into their neighbours' bytes.
func randomRow(r *rand.Rand) row {
	ids := []string{"a", "b", "a\x00", "a\x00\x01", "a\x00\xff", "\x00", "a\x01", "aa", "\xff", "", "a\x00\x01\x00\x00\x00\x01"}
	id := func() string { return ids[r.IntN(len(ids))] }
	out := row{ObjectType: tuple.TypeID(r.IntN(3)), ObjectID: id(), Relation: tuple.RelationID(r.IntN(3)),
		SubjectType: tuple.TypeID(r.IntN(3)), SubjectID: id(), SubjectRelation: tuple.RelationID(r.IntN(3))}
	if r.IntN(2) == 0 {
		out.Condition, out.Expires, out.Context = tuple.ConditionID(r.IntN(3)), r.Uint64N(3), tuple.Context(ids[r.IntN(3)])
	}
	return out
}

func compareRows(a, b row) int {
	return cmp.Or(cmp.Compare(a.ObjectType, b.ObjectType), strings.Compare(a.ObjectID, b.ObjectID), cmp.Compare(a.Relation, b.Relation),
		cmp.Compare(a.SubjectType, b.SubjectType), strings.Compare(a.SubjectID, b.SubjectID), cmp.Compare(a.SubjectRelation, b.SubjectRelation))
}

// TestKeys: keys and values read back, keep the order of their fields, and no key
// is the beginning of another.
func TestKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		a, b := randomRow(r), randomRow(r)
		x, y := a.key(prefixTuple, 7), b.key(prefixTuple, 7)
		back, err := parseRow(x[5:])
		if err == nil {
			err = back.setValue(a.value())
		}
		if err != nil || back != a {
			t.Fatalf("%+v came back as %+v (%v)", a, back, err)
		}
		if got, want := bytes.Compare(x, y), compareRows(a, b); got != want {
			t.Fatalf("%q and %q compare as %d, want %d", x, y, got, want)
		}
		if bytes.HasPrefix(x, y) && len(x) != len(y) {
			t.Fatalf("%q begins with %q", x, y)
		}
		whole := a.appendRow(nil)
		for _, part := range []row{{ObjectType: a.ObjectType}, {ObjectType: a.ObjectType, ObjectID: a.ObjectID},
			{ObjectType: a.ObjectType, ObjectID: a.ObjectID, Relation: a.Relation}} {
			if part.ObjectID != "" && !bytes.HasPrefix(whole, part.prefix()) {
				t.Fatalf("%q does not begin with %q", whole, part.prefix())
			}
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := record{Term: 3, Time: 1 << 60, Floor: 5, Feature: 1,
		Marks:   []mark{{Store: 1, Digest: Digest{1, 2}, Live: 3, Quarantined: 4}},
		Keys:    []keyRecord{{Store: 1, Key: "k", Body: [32]byte{1}, Created: 1, Updated: 2, Deleted: 3}},
		Events:  []event{{Store: 1, Kind: eventSchema}},
		Effects: []effect{{Store: 1, Kind: prefixTuple, Row: []byte("r"), Had: true, Old: []byte("o")}, {Store: 2, Kind: prefixQuarantine, Row: []byte("s"), Has: true, New: []byte{}}}}
	got, err := decodeRecord(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.encode(), want.encode()) || len(got.Effects) != 2 || got.Keys[0] != want.Keys[0] || got.Marks[0] != want.Marks[0] {
		t.Errorf("got %+v, want %+v", got, want)
	}
	whole := want.encode()
	for i := range whole {
		if _, err := decodeRecord(whole[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", i, len(whole))
		}
	}
}

// TestChunks: a long record comes back whole, and its first chunk is handed out last.
func TestChunks(t *testing.T) {
	for _, size := range []int{1, chunkBytes, chunkBytes + 1, 3*chunkBytes + 17} {
		var chunks []int
		total := 0
		err := putChunked(make([]byte, size), func(chunk int, value []byte) {
			chunks = append(chunks, chunk)
			total += len(value)
		})
		if err != nil || chunks[len(chunks)-1] != 0 || !slices.IsSortedFunc(chunks, func(a, b int) int { return b - a }) || total < size {
			t.Errorf("%d bytes: chunks %v with %d bytes (%v)", size, chunks, total, err)
		}
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(record{Effects: []effect{{Store: 1, Kind: prefixTuple, Row: row{ObjectID: "a"}.appendRow(nil), Has: true}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := decodeRecord(b); err == nil {
			for _, e := range r.Effects {
				if w, err := parseRow(e.Row); err == nil {
					_ = w.setValue(e.New)
				}
			}
		}
		if r, err := parseRow(b); err == nil && !bytes.Equal(r.appendRow(nil), b) {
			t.Errorf("%x is read as %+v, which is written otherwise", b, r)
		}
		var r row
		if err := r.setValue(b); err == nil {
			var again row
			if err := again.setValue(r.value()); err != nil || again != r {
				t.Errorf("%x is read as %+v and again as %+v", b, r, again)
			}
		}
	})
}
