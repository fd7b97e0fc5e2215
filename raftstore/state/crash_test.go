package state_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// run is a log of random entries and the state that applied them without a break.
type run struct {
	*world
	log     map[uint64][]byte
	dir     string
	s       *state.State
	durable uint64
}

func newRun(t *testing.T, seed uint64, entries int) *run {
	r := &run{world: newWorld(t, seed), log: map[uint64][]byte{}, dir: t.TempDir()}
	r.s = open(t, state.Options{Dir: r.dir, Boot: "first"})
	for i := range entries {
		e := r.entry()
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		r.log[uint64(r.index)] = b
		replay(t, r.s, uint64(r.index), b)
		if i < entries*2/3 && r.IntN(20) == 0 {
			if err := r.s.Persist(); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.durable, _ = r.s.Durable()
	return r
}

// replayTo applies the log behind what the state has, up to an index.
func (r *run) replayTo(t *testing.T, s *state.State, last uint64) {
	t.Helper()
	from, _ := s.Applied()
	for i := from + 1; i <= last; i++ {
		if b, ok := r.log[i]; ok {
			replay(t, s, i, b)
		}
	}
}

// killed copies the files as they are, which is what kill -9 leaves.
func killed(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, lock := range []string{"LOCK"} {
		paths, _ := filepath.Glob(filepath.Join(to, "*", "badger", lock))
		for _, p := range paths {
			os.Remove(p)
		}
	}
	return to
}

// holed makes the files that a loss of power could leave: of what was written
// after the durable entry, anything may be missing.
func holed(t *testing.T, dir string, durable uint64, rnd *rand.Rand) string {
	t.Helper()
	from, to := killed(t, dir), t.TempDir()
	read := func(name string) {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	read("CURRENT")
	read("data-1/durable")
	openBadger := func(dir string) *badger.DB {
		o := badger.DefaultOptions(filepath.Join(dir, "data-1", "badger"))
		o.Logger = nil
		db, err := badger.OpenManaged(o)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	source, target := openBadger(from), openBadger(to)
	defer source.Close()
	defer target.Close()
	txn := source.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true})
	defer it.Close()
	w := target.NewManagedWriteBatch()
	dropped := 0
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if item.Version() > durable && rnd.IntN(3) == 0 {
			dropped++
			continue
		}
		key := item.KeyCopy(nil)
		value, err := item.ValueCopy(nil)
		if err == nil && item.IsDeletedOrExpired() {
			err = w.DeleteAt(key, item.Version())
		} else if err == nil {
			err = w.SetEntryAt(badger.NewEntry(key, value).WithDiscard(), item.Version())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if dropped == 0 {
		t.Fatal("nothing was lost: the test shows nothing")
	}
	return to
}

// exported returns the state's stream without its header, which has an estimate
// of the disk's use in it, and its checksum: two states that are the same have
// the same.
func exported(t *testing.T, s *state.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Export(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[44 : b.Len()-32]
}

func sameState(t *testing.T, got, want *state.State) {
	t.Helper()
	if g, w := exported(t, got), exported(t, want); !bytes.Equal(g, w) {
		t.Fatalf("the states differ: streams of %d and %d bytes", len(g), len(w))
	}
	for _, info := range want.Stores() {
		for _, rev := range []tuple.Revision{0, want.Floor()} {
			a, errA := got.View(info.Name, rev)
			b, errB := want.View(info.Name, rev)
			if (errA == nil) != (errB == nil) {
				t.Fatalf("store %s: %v, want %v", info.Name, errA, errB)
			}
			if errA != nil {
				continue
			}
			x, y := tuples(t, a, tuple.Filter{}), tuples(t, b, tuple.Filter{})
			if fmt.Sprint(x) != fmt.Sprint(y) {
				t.Fatalf("store %s: %v, want %v", info.Name, x, y)
			}
			if err := a.Verify(); err != nil {
				t.Fatal(err)
			}
			a.Close()
			b.Close()
		}
	}
}

func TestReplayIsDeterministic(t *testing.T) {
	r := newRun(t, 11, 200)
	s := open(t, state.Options{Dir: t.TempDir()})
	r.replayTo(t, s, uint64(r.index))
	sameState(t, s, r.s)
}

func TestKill(t *testing.T) {
	r := newRun(t, 12, 60)
	for range 6 {
		dir := killed(t, r.dir)
		s := open(t, state.Options{Dir: dir, Boot: "first"})
		if index, _ := s.Applied(); index != uint64(r.index) {
			t.Fatalf("applied %d after a kill, want %d", index, r.index)
		}
		sameState(t, s, r.s)
		for range 10 { // the interrupted state goes on as the other does
			b, err := r.entry().Encode()
			if err != nil {
				t.Fatal(err)
			}
			r.log[uint64(r.index)] = b
			if got, want := fmt.Sprintf("%+v", replay(t, s, uint64(r.index), b)), fmt.Sprintf("%+v", replay(t, r.s, uint64(r.index), b)); len(got) != len(want) {
				t.Fatalf("results differ: %s, want %s", got, want)
			}
		}
		sameState(t, s, r.s)
	}
}

// TestPowerLoss: after a loss of power there may be holes below the last commit,
// since memtables rotate unsynced. Replay from the durable entry fills them.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			r := newRun(t, 20+seed, 150)
			dir := holed(t, r.dir, r.durable, r.Rand)
			s := open(t, state.Options{Dir: dir, Boot: "second"})
			if index, _ := s.Applied(); index != r.durable {
				t.Fatalf("goes on behind %d, want the durable %d", index, r.durable)
			}
			middle := (r.durable + uint64(r.index)) / 2
			r.replayTo(t, s, middle)
			if err := s.Persist(); err != nil {
				t.Fatal(err)
			}
			at, _ := s.Applied()

			// Killed in the middle of the replay: what lies ahead still has holes.
			again := killed(t, dir)
			k := open(t, state.Options{Dir: again, Boot: "second"})
			if index, _ := k.Applied(); index != at {
				t.Fatalf("goes on behind %d after a kill, want %d", index, at)
			}
			r.replayTo(t, k, uint64(r.index))
			sameState(t, k, r.s)

			r.replayTo(t, s, uint64(r.index))
			sameState(t, s, r.s)
		})
	}
}

// TestLargeEntry: an entry that takes several of Badger's transactions is there
// whole or not at all, at every revision.
func TestLargeEntry(t *testing.T) {
	c := start(t)
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	im := &command.Import{}
	for i := range 30_000 { // more than one transaction holds
		im.Tuples = append(im.Tuples, parse(t, fmt.Sprintf("document:d%d#viewer@user:u%d", i, i%100)))
	}
	if r := c.ok("a", im); r.Created != 30_000 {
		t.Fatalf("created %d", r.Created)
	}
	before := view(t, c.s, "a", 2)
	if got := tuples(t, before, tuple.Filter{}); len(got) != 0 {
		t.Errorf("%d tuples before the import", len(got))
	}
	gone := c.ok("a", &command.Write{DeleteFilter: &tuple.Filter{ObjectType: "document"}})
	if gone.Deleted != 30_000 {
		t.Errorf("deleted %d", gone.Deleted)
	}
	if got := tuples(t, view(t, c.s, "a", 3), tuple.Filter{}); len(got) != 30_000 {
		t.Errorf("%d tuples after the import", len(got))
	}
	if got := tuples(t, view(t, c.s, "a", 0), tuple.Filter{}); len(got) != 0 {
		t.Errorf("%d tuples after the deletion", len(got))
	}
}
