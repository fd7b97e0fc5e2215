package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// watched reads a store's watch from behind a revision up to the newest one.
func watched(t *testing.T, s *state.State, name string, after tuple.Revision) []*state.Effects {
	t.Helper()
	w, err := s.Watch(name, after, tuple.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var all []*state.Effects
	for w.Position() < s.AppliedRevision() {
		e, ok, err := w.Next(t.Context(), time.Millisecond)
		if errors.Is(err, state.ErrStoreDeleted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			all = append(all, e)
		}
	}
	return all
}

// line tells of an entry's effects in words that can be compared.
func line(e state.Effects) string {
	text := fmt.Sprintf("%d at %d:", e.Revision, e.LogTime.UnixNano())
	for _, flag := range []struct {
		is   bool
		name string
	}{{e.Created, " created"}, {e.Deleted, " deleted"}, {e.Schema, " schema"}} {
		if flag.is {
			text += flag.name
		}
	}
	if e.Deleted { // what else the entry did to the store is nobody's concern any more
		return text
	}
	var changes []string
	for _, c := range e.Changes {
		change := fmt.Sprintf(" %s %s", c.Op, c.Tuple)
		if c.Before != nil {
			change += " for " + c.Before.String()
		}
		changes = append(changes, change)
	}
	slices.Sort(changes)
	return text + fmt.Sprint(changes)
}

func TestWatchTellsWhatHappened(t *testing.T) {
	c := start(t)
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	c.ok("b", &command.PutStore{})
	c.apply(
		command.Command{Store: "a", Body: ops(t, "create document:a#viewer@user:ana", "create document:b#viewer@user:ana")},
		command.Command{Store: "a", Body: ops(t, "delete document:b#viewer@user:ana", "touch document:a#viewer@user:ana until 2100-01-01T00:00:00Z")})
	c.ok("a", ops(t, "touch document:a#viewer@user:ana", "touch document:a#viewer@user:bob until 2023-11-15T00:00:00Z"))
	c.time = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	c.ok("a", &command.CollectExpired{Limit: 10})
	narrow := putSchema(t, "pemba 1\ntype user\ntype document {\n  relation owner: [user]\n}\n")
	narrow.Orphans = command.OrphansIgnore
	c.ok("a", narrow)
	c.ok("a", putSchema(t, docs))
	c.ok("a", &command.ResolveQuarantine{Revive: true})
	c.ok("a", &command.DeleteStore{})
	c.ok("a", &command.PutStore{})
	var got []string
	for _, e := range watched(t, c.s, "a", 1) {
		text := ""
		if e.Created || e.Deleted || e.Schema {
			text = fmt.Sprintf("%v %v %v ", e.Created, e.Deleted, e.Schema)
		}
		for _, ch := range e.Changes {
			text += fmt.Sprintf("%s %s; ", ch.Op, ch.Tuple)
			if ch.Before != nil {
				text += fmt.Sprintf("was %s; ", ch.Before)
			}
		}
		got = append(got, text)
	}
	want := []string{"false false true ",
		"create document:a#viewer@user:ana until 2100-01-01T00:00:00Z; ",
		"touch document:a#viewer@user:ana; was document:a#viewer@user:ana until 2100-01-01T00:00:00Z; create document:a#viewer@user:bob until 2023-11-15T00:00:00Z; ",
		"expire document:a#viewer@user:bob until 2023-11-15T00:00:00Z; ",
		"false false true quarantine document:a#viewer@user:ana; ",
		"false false true ",
		"revive document:a#viewer@user:ana; ",
		"false true false "}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	for name, after := range map[string]tuple.Revision{"nothing": 1, "a": tuple.Revision(c.index + 1)} {
		if _, err := c.s.Watch(name, after, tuple.Filter{}); !errors.Is(err, state.ErrStoreNotFound) && !errors.Is(err, state.ErrAhead) {
			t.Errorf("a watch of %s after %d: %v", name, after, err)
		}
	}
}

// history is what a model went through, for watches to be held to.
type history struct {
	mu        sync.Mutex // guards what follows
	s         *state.State
	at        map[tuple.Revision]contents
	revisions []tuple.Revision
	over      bool
}

func (h *history) state() (*state.State, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.s, h.over
}

// storeAt is a store of the model, if it is the same one as another.
func (h *history) storeAt(rev tuple.Revision, name string, like *modelStore) *modelStore {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, found := slices.BinarySearch(h.revisions, rev)
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	found2 := h.at[h.revisions[i]].stores[name]
	if found2 == nil || like != nil && reflect.ValueOf(found2.changedKeys).Pointer() != reflect.ValueOf(like.changedKeys).Pointer() {
		return nil
	}
	return found2
}

// change says what became of a key, as the watch should.
func (h *history) change(k tuple.Key, before, after *modelStore, now int64) (c state.Change, any bool) {
	was, had := before.live[k]
	is, has := after.live[k]
	qwas, qhad := before.quarantine[k]
	qis, qhas := after.quarantine[k]
	switch {
	case !had && has && qhad && !qhas && qwas == is:
		return state.Change{Op: state.Revive, Tuple: is}, true
	case has && (!had || was != is && expired(was, now)):
		return state.Change{Op: state.Create, Tuple: is}, true
	case had && has && was != is:
		return state.Change{Op: state.Touch, Tuple: is, Before: &was}, true
	case had && !has && qhas:
		return state.Change{Op: state.Quarantine, Tuple: was}, true
	case had && !has && expired(was, now):
		return state.Change{Op: state.Expire, Tuple: was}, true
	case had && !has:
		return state.Change{Op: state.Delete, Tuple: was}, true
	case qhas && (!qhad || qwas != qis):
		return state.Change{Op: state.Quarantine, Tuple: qis}, true
	case qhad && !qhas:
		return state.Change{Op: state.Discard, Tuple: qwas}, true
	}
	return c, false
}

// expected is what a watch of a store should give between two revisions.
func (h *history) expected(name string, after, to tuple.Revision, f tuple.Filter) []string {
	var all []string
	last := h.storeAt(after, name, nil)
	for _, rev := range h.revisions {
		if rev <= after || rev > to {
			continue
		}
		now := h.at[rev].now
		e := state.Effects{Revision: rev, LogTime: time.Unix(0, now)}
		next := h.storeAt(rev, name, last)
		if next == nil {
			e.Deleted = true
			return append(all, line(e))
		}
		e.Schema = next.schema == rev
		keys := map[tuple.Key]bool{}
		for _, m := range []map[tuple.Key]tuple.Tuple{last.live, next.live, last.quarantine, next.quarantine} {
			for k := range m {
				keys[k] = true
			}
		}
		for k := range keys {
			if c, any := h.change(k, last, next, now); any && f.Matches(k) {
				e.Changes = append(e.Changes, c)
			}
		}
		if e.Schema || len(e.Changes) > 0 {
			all = append(all, line(e))
		}
		last = next
	}
	return all
}

// stretch is what one watcher saw without a gap, over any number of watches.
type stretch struct {
	name      string
	after, to tuple.Revision
	filter    tuple.Filter
	events    []string
	live      map[tuple.Key]tuple.Tuple // rebuilt from the events alone
}

func (s *stretch) add(e *state.Effects) {
	s.events = append(s.events, line(*e))
	s.to = e.Revision
	for _, c := range e.Changes {
		switch c.Op {
		case state.Create, state.Touch, state.Revive:
			s.live[c.Tuple.Key] = c.Tuple
		case state.Delete, state.Expire, state.Quarantine:
			delete(s.live, c.Tuple.Key)
		}
	}
}

// follow watches until the history is over, leaving and coming back at random.
func (h *history) follow(t *testing.T, r *rand.Rand, name string, f tuple.Filter) []*stretch {
	var all []*stretch
	var now *stretch // nil: begin anew
	for {
		s, over := h.state()
		if over && now != nil && now.to >= h.revisions[len(h.revisions)-1] {
			return all
		}
		if now == nil {
			from := s.AppliedRevision()
			from = max(s.Floor(), from-min(from, tuple.Revision(r.IntN(30))))
			begun := h.storeAt(from, name, nil)
			if begun == nil {
				if over {
					return all
				}
				time.Sleep(time.Millisecond)
				continue
			}
			now = &stretch{name: name, after: from, to: from, filter: f, live: maps.Clone(begun.live)}
			all = append(all, now)
		}
		w, err := s.Watch(name, now.to, f)
		for steps := r.IntN(60); err == nil && steps > 0; steps-- {
			var e *state.Effects
			var ok bool
			if e, ok, err = w.Next(context.Background(), time.Duration(r.IntN(2000))*time.Microsecond); ok {
				if now.add(e); e.Deleted { // a watch from here would be of the next store of that name
					err = state.ErrStoreDeleted
				}
			} else if err == nil {
				now.to = w.Position()
			}
			if r.IntN(20) == 0 {
				time.Sleep(time.Duration(r.IntN(5000)) * time.Microsecond)
			}
		}
		if w != nil {
			w.Close()
		}
		switch {
		case err == nil || errors.Is(err, state.ErrClosed):
		case errors.Is(err, state.ErrStoreDeleted), errors.Is(err, state.ErrStoreNotFound), errors.Is(err, state.ErrHistoryGone):
			if now = nil; over {
				return all
			}
		default:
			t.Errorf("the watch of %s: %v", name, err)
			return all
		}
	}
}

// reopen opens a state once the last who read in it have let go.
func reopen(t *testing.T, dir string) *state.State {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s, err := state.Open(state.Options{Dir: dir})
		if err == nil {
			t.Cleanup(func() { s.Close() })
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestWatchAgainstModel: whoever watches, with whatever filter, and however often
// the watch or the node is interrupted, sees each revision's changes once and in
// order; and what they add up to is what the store holds.
func TestWatchAgainstModel(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h := &history{s: open(t, state.Options{Dir: dir}), at: map[tuple.Revision]contents{}}
			w, m := newWorld(t, 900+seed), newModel()
			var watchers sync.WaitGroup
			seen := make([][]*stretch, 8)
			for i := range seen {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				f := tuple.Filter{}
				if i >= 4 {
					f = (&world{Rand: r, t: t}).filter()
				}
				watchers.Go(func() { seen[i] = h.follow(t, r, []string{"one", "one", "two"}[i%3], f) })
			}
			for i := range 300 {
				e := w.entry()
				b, err := e.Encode()
				if err != nil {
					t.Fatal(err)
				}
				h.mu.Lock()
				_, h.at[w.index] = m.entry(w.index, e)
				h.revisions = append(h.revisions, w.index)
				h.mu.Unlock()
				s, _ := h.state()
				replay(t, s, uint64(w.index), b)
				if i%10 == 0 {
					time.Sleep(time.Millisecond)
				}
				if i%70 == 69 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					again := reopen(t, dir)
					h.mu.Lock()
					h.s = again
					h.mu.Unlock()
				}
			}
			h.mu.Lock()
			h.over = true
			h.mu.Unlock()
			watchers.Wait()
			events := 0
			for i, stretches := range seen {
				for _, s := range stretches {
					want := h.expected(s.name, s.after, s.to, s.filter)
					if !slices.Equal(s.events, want) {
						t.Fatalf("watcher %d from %d to %d of %s with %+v:\n got %q\nwant %q", i, s.after, s.to, s.name, s.filter, s.events, want)
					}
					events += len(want)
					end := h.storeAt(s.to, s.name, h.storeAt(s.after, s.name, nil))
					if s.filter.IsZero() && end != nil && !maps.Equal(s.live, end.live) {
						t.Errorf("watcher %d at %d: the changes add up to %v, want %v", i, s.to, s.live, end.live)
					}
				}
			}
			if events < 200 {
				t.Errorf("only %d events were seen", events)
			}
			s, _ := h.state()
			if n := s.Pins(); n != 0 {
				t.Errorf("%d revisions are still pinned", n)
			}
		})
	}
}

// TestWatchOverImport: a watch goes on where a snapshot takes the state's place,
// and sees what the snapshot brought.
func TestWatchOverImport(t *testing.T) {
	ahead := withDocs(t)
	behind := open(t, state.Options{Dir: t.TempDir()})
	for i, b := range ahead.log {
		replay(t, behind, uint64(i+1), b)
	}
	w, err := behind.Watch("a", behind.AppliedRevision(), tuple.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, ok, err := w.Next(t.Context(), time.Millisecond); ok || err != nil {
		t.Fatalf("there was something before: %v, %v", ok, err)
	}
	wide := putSchema(t, docs+"type extra {\n  relation user: [user]\n}\n") // names that the old state has no numbers for
	ahead.ok("a", wide)
	for i := range 5 {
		ahead.ok("a", ops(t, fmt.Sprintf("touch extra:d%d#user@user:ana", i)))
	}
	got := make(chan int)
	go func() {
		n := 0
		for n < 6 {
			if e, ok, err := w.Next(t.Context(), time.Minute); err != nil || !ok || !e.Schema && len(e.Changes) != 1 {
				t.Errorf("event %d: %+v, %v", n, e, err)
				break
			}
			n++
		}
		got <- n
	}()
	if err := behind.Import(bytes.NewReader(export(t, ahead.s))); err != nil {
		t.Fatal(err)
	}
	if n := <-got; n != 6 {
		t.Errorf("%d events came, want 6", n)
	}
}
