package state_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func summary(t *testing.T, s *state.State, at tuple.Revision, how state.Recount) state.Summary {
	t.Helper()
	found, err := s.Summary(context.Background(), at, how)
	if err != nil {
		t.Fatal(err)
	}
	if fault := found.Fault(); fault != "" {
		t.Fatal(fault)
	}
	return found
}

// TestSummary: replicas have equal summaries at every revision that both have,
// however they came to it, and other revisions have others.
func TestSummary(t *testing.T) {
	r := newRun(t, 61, 120)
	replayed := open(t, state.Options{Dir: t.TempDir()})
	r.replayTo(t, replayed, uint64(r.index))
	installed := open(t, state.Options{Dir: t.TempDir()})
	if err := installed.Import(strings.NewReader(string(export(t, r.s)))); err != nil {
		t.Fatal(err)
	}
	seen := map[string]tuple.Revision{}
	for at := r.s.Floor(); at <= r.s.AppliedRevision(); at++ {
		if at == 0 {
			continue
		}
		want := summary(t, r.s, at, state.Recounted)
		for name, s := range map[string]*state.State{"replayed": replayed, "installed": installed} {
			if got := summary(t, s, at, state.Recounted); !got.Equal(want) {
				t.Fatalf("%s, revision %d: %+v, want %+v", name, at, got, want)
			}
			if got := summary(t, s, at, state.Kept); !got.Equal(want) {
				t.Fatalf("%s, revision %d, kept: %+v, want %+v", name, at, got, want)
			}
		}
		if _, ok := r.log[uint64(at)]; !ok {
			continue
		}
		if earlier, ok := seen[want.Cluster]; ok {
			t.Errorf("revisions %d and %d have the same hash", earlier, at)
		}
		seen[want.Cluster] = at
	}
}

// loseKey removes the first key with a prefix behind the state's back, at the
// revision that wrote it, so that it was never there.
func loseKey(t *testing.T, dir, prefix string) {
	t.Helper()
	o := badger.DefaultOptions(filepath.Join(dir, "data-1", "badger"))
	o.Logger = nil
	db, err := badger.OpenManaged(o)
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(math.MaxUint64, true)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
	it.Rewind()
	if !it.Valid() {
		t.Fatalf("no key begins with %q", prefix)
	}
	key, at := it.Item().KeyCopy(nil), it.Item().Version()
	it.Close()
	if err := txn.Delete(key); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(at, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLostKey: whichever kind of key is gone, the state does not open, or its
// scrub says so; it never answers without it.
func TestLostKey(t *testing.T) {
	for _, kind := range []string{"t", "q", "x", "s", "c", "n", "d", "mc", "mn", "l"} {
		t.Run(kind, func(t *testing.T) {
			c := start(t)
			c.ok("", &command.ClusterInit{ID: command.ClusterID{1}})
			c.ok("", &command.SetMember{Member: command.Member{ID: "n1", Feature: 1}})
			c.ok("a", &command.PutStore{})
			c.ok("a", putSchema(t, docs))
			c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:b#owner@user:eve"))
			expiring := ops(t, "create document:a#viewer@user:bob")
			expiring.Operations[0].Tuple.Expires = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
			c.ok("a", expiring)
			c.ok("a", ops(t, "delete document:a#viewer@user:ana"))
			if kind == "q" {
				narrow := putSchema(t, strings.Replace(docs, "[user] at most 2", "[group#member]", 1))
				narrow.Orphans = command.OrphansIgnore
				c.ok("a", narrow)
			}
			if err := c.s.Close(); err != nil {
				t.Fatal(err)
			}
			loseKey(t, c.dir, kind)
			s, err := state.Open(state.Options{Dir: c.dir})
			if err == nil {
				err = s.Scrub(context.Background())
				s.Close()
			}
			if !errors.Is(err, state.ErrCorrupt) {
				t.Errorf("without its first %s key: %v, want ErrCorrupt", kind, err)
			}
		})
	}
}

// TestScrubSeesGraph: the graph index is recounted too, in both directions.
func TestScrubSeesGraph(t *testing.T) {
	c := withDocs(t)
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:a#viewer@user:*", "create document:b#viewer@group:g#member"))
	if err := c.s.Scrub(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.s.BreakGraph("a"); err != nil {
		t.Fatal(err)
	}
	if err := c.s.Scrub(context.Background()); !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("an index that lost a tuple: %v, want ErrCorrupt", err)
	}
}

func BenchmarkRecount(b *testing.B) {
	s, apply := benchState(b)
	for chunk := range 100 {
		im := &command.Import{}
		for i := range 1000 {
			im.Tuples = append(im.Tuples, nth(1000*chunk+i))
		}
		apply(command.Command{Store: "a", Body: im})
	}
	for _, how := range []state.Recount{state.Kept, state.Recounted} {
		b.Run(fmt.Sprint(how), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Summary(context.Background(), 0, how); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
