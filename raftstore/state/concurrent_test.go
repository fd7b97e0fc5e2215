package state_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestConcurrentReaders: readers at pinned revisions see the model of theirs
// while entries are applied, the floor moves, the cleaner works and snapshots
// come in.
func TestConcurrentReaders(t *testing.T) {
	s := open(t, state.Options{Dir: t.TempDir()})
	w, m := newWorld(t, 99), newModel()
	var mu sync.Mutex // guards at and revisions
	at := map[tuple.Revision]contents{}
	var revisions []tuple.Revision
	done := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			for checked := 0; ; {
				select {
				case <-done:
					if checked == 0 {
						t.Error("a reader never read")
					}
					return
				default:
				}
				mu.Lock()
				if len(revisions) == 0 {
					mu.Unlock()
					continue
				}
				back := rnd.IntN(min(len(revisions), 30))
				rev := revisions[len(revisions)-1-back]
				c := at[rev]
				mu.Unlock()
				if readOne(t, s, rev, c) {
					checked++
				}
			}
		}()
	}
	for i := range 300 {
		e := w.entry()
		results, c := m.entry(w.index, e)
		mu.Lock()
		at[w.index] = c
		mu.Unlock()
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got := replay(t, s, uint64(w.index), b)
		for j := range results {
			compareResults(t, w.index, e.Commands[j], got[j], results[j], map[string]int{})
		}
		mu.Lock()
		revisions = append(revisions, w.index)
		mu.Unlock()
		switch i % 60 {
		case 20:
			if err := s.Persist(); err != nil {
				t.Error(err)
			}
		case 40:
			other := open(t, state.Options{Dir: t.TempDir()})
			if err := other.Import(bytes.NewReader(export(t, s))); err != nil {
				t.Error(err)
			}
			if err := s.Import(bytes.NewReader(export(t, other))); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	readers.Wait()
	if n := s.Pins(); n != 0 {
		t.Errorf("%d revisions are still pinned", n)
	}
}

// readOne compares one store at one revision with the model; false where the
// floor has passed it meanwhile.
func readOne(t *testing.T, s *state.State, rev tuple.Revision, c contents) bool {
	v, err := s.View("one", rev)
	if errors.Is(err, state.ErrHistoryGone) || errors.Is(err, state.ErrStoreNotFound) && c.stores["one"] == nil {
		return false
	}
	if err != nil {
		t.Errorf("revision %d: %v", rev, err)
		return false
	}
	defer v.Close()
	want := c.stores["one"]
	if want == nil {
		t.Errorf("revision %d: the store is there", rev)
		return false
	}
	live := 0
	for _, tu := range want.live {
		if !expired(tu, c.now) {
			live++
		}
	}
	n := 0
	for tu, err := range v.Tuples(tuple.Filter{}, nil) {
		if err != nil {
			t.Errorf("revision %d: %v", rev, err)
			return false
		}
		if want.live[tu.Key] != tu {
			t.Errorf("revision %d: %s, want %s", rev, tu, want.live[tu.Key])
		}
		n++
	}
	if n != live {
		t.Errorf("revision %d: %d tuples, want %d", rev, n, live)
	}
	checkReader(t, "concurrently", v, want)
	return true
}
