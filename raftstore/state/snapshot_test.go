package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func export(t *testing.T, s *state.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSnapshot: what was removed stays removed and what was there before the
// removal stays readable, on the receiver as on the sender, at every revision.
func TestSnapshot(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newRun(t, 40+seed, 150)
			m, at := newModel(), map[tuple.Revision]contents{}
			for i := uint64(1); i <= uint64(r.index); i++ {
				if b, ok := r.log[i]; ok {
					e, err := command.Decode(b)
					if err != nil {
						t.Fatal(err)
					}
					_, at[tuple.Revision(i)] = m.entry(tuple.Revision(i), e)
				}
			}
			dir := t.TempDir()
			s := open(t, state.Options{Dir: dir})
			replay(t, s, 1, r.log[firstOf(r)]) // something else is there before
			old := s.AppliedRevision()
			pinned, err := s.View("one", 0)
			if err != nil {
				t.Fatal(err)
			}
			before := tuples(t, pinned, tuple.Filter{})
			if err := s.Import(bytes.NewReader(export(t, r.s))); err != nil {
				t.Fatal(err)
			}
			sameState(t, s, r.s)
			if index, _ := s.Durable(); index != uint64(r.index) {
				t.Errorf("durable %d after an import, want %d", index, r.index)
			}
			if got := tuples(t, pinned, tuple.Filter{}); fmt.Sprint(got) != fmt.Sprint(before) {
				t.Errorf("a view of revision %d from before the import sees %v, want %v", old, got, before)
			}
			pinned.Close()
			for rev, c := range at {
				if rev >= m.floor {
					checkRevision(t, s, r.world, m, rev, c)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, state.Options{Dir: dir})
			sameState(t, s, r.s)
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 2 {
				t.Errorf("the folder holds %v (%v), want CURRENT and one generation", entries, err)
			}
			b, err := r.entry().Encode()
			if err != nil {
				t.Fatal(err)
			}
			replay(t, s, uint64(r.index), b)
			replay(t, r.s, uint64(r.index), b)
			sameState(t, s, r.s)
		})
	}
}

func firstOf(r *run) uint64 {
	for i := uint64(1); ; i++ {
		if _, ok := r.log[i]; ok {
			return i
		}
	}
}

func TestSnapshotSize(t *testing.T) {
	r := newRun(t, 50, 60)
	p, err := r.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	size, err := p.Size(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // whatever is written meanwhile
		b, err := r.entry().Encode()
		if err != nil {
			t.Fatal(err)
		}
		replay(t, r.s, uint64(r.index), b)
	}
	var b bytes.Buffer
	if err := p.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != size {
		t.Errorf("wrote %d bytes, announced %d", b.Len(), size)
	}
}

// TestDamagedSnapshot: whatever byte is wrong or missing, the receiver refuses
// and stays what it was.
func TestDamagedSnapshot(t *testing.T) {
	r := newRun(t, 51, 30)
	stream := export(t, r.s)
	s := open(t, state.Options{Dir: t.TempDir()})
	replay(t, s, 1, r.log[firstOf(r)])
	try := func(name string, b []byte) {
		t.Helper()
		err := s.Import(bytes.NewReader(b))
		if err == nil {
			t.Fatalf("%s was accepted", name)
		}
		if index, _ := s.Applied(); index != 1 {
			t.Fatalf("%s: applied %d afterwards", name, index)
		}
	}
	for i := range 12 {
		cut := len(stream) * i / 12
		try(fmt.Sprintf("the first %d of %d bytes", cut, len(stream)), stream[:cut])
		flipped := bytes.Clone(stream)
		flipped[cut] ^= 0x10
		if cut < 44 && cut >= 36 {
			continue // the estimate of the size
		}
		try(fmt.Sprintf("byte %d flipped", cut), flipped)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	big := start(t)
	big.ok("a", &command.PutStore{})
	big.ok("a", putSchema(t, docs))
	for i := range 2 {
		im := &command.Import{}
		for j := range 1000 {
			im.Tuples = append(im.Tuples, parse(t, fmt.Sprintf("document:d%d#viewer@user:u%d", i, j)))
		}
		big.ok("a", im)
	}
	if err := big.s.Export(ctx, &bytes.Buffer{}); !errors.Is(err, context.Canceled) {
		t.Errorf("an export under a cancelled context: %v", err)
	}
	if n := big.s.Pins(); n != 0 {
		t.Errorf("%d revisions are still pinned", n)
	}
}
