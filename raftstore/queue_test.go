package raftstore

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/pemba-authz/pemba/raftstore/command"
)

func waiting(store string, bytes int) *proposal {
	return &proposal{command: command.Command{Store: store, Body: &command.Write{}}, bytes: bytes, done: make(chan outcome, 1)}
}

func TestQueueLetsStoresTakeTurns(t *testing.T) {
	q := newQueue()
	for range 1000 {
		if err := q.put(waiting("loud", 100)); err != nil {
			t.Fatal(err)
		}
	}
	quiet := waiting("quiet", 100)
	if err := q.put(quiet); err != nil {
		t.Fatal(err)
	}
	for i, p := range q.take() {
		if p == quiet {
			if i > 1 {
				t.Errorf("the quiet store's write is number %d of the entry", i)
			}
			return
		}
	}
	t.Error("the quiet store's write is not in the first entry")
}

func TestQueueSendsOneBulkEntryAtATimeWhileOthersWait(t *testing.T) {
	q := newQueue()
	for i := range 3 {
		q.put(waiting(fmt.Sprint("b", i), bulkBytes))
		q.put(waiting("s", 10))
	}
	if batch := q.take(); len(batch) != 1 || !batch[0].bulk() {
		t.Fatalf("first %d commands", len(batch))
	}
	if batch := q.take(); len(batch) != 3 || batch[0].bulk() {
		t.Fatalf("then %d commands, want the three small ones", len(batch))
	}
	if batch := q.take(); len(batch) != 1 { // nobody waits any more
		t.Fatalf("then %d commands", len(batch))
	}
	q.put(waiting("s", 10))
	if batch := q.take(); len(batch) != 1 || batch[0].bulk() {
		t.Fatal("a bulk entry went while one was under way and a small write waited")
	}
	q.ended(true)
	if batch := q.take(); len(batch) != 1 || !batch[0].bulk() {
		t.Fatal("the last bulk entry does not go")
	}
}

func TestQueueRefusesWhatItCannotHold(t *testing.T) {
	q := newQueue()
	for range maxQueued {
		if err := q.put(waiting("s", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.put(waiting("s", 1)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("a full queue says %v", err)
	}
	if left := q.close(ErrClosed); len(left) != maxQueued {
		t.Errorf("%d were left", len(left))
	}
	if err := q.put(waiting("s", 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed queue says %v", err)
	}
}

// TestQueueLosesNothing compares a queue with a set: every proposal comes out
// exactly once, by take, cancel or close, within the bounds of an entry and in
// the order of its store.
func TestQueueLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		inside := map[*proposal]int{}
		number, under, latest := 0, 0, map[string]int{}
		out := func(p *proposal) int {
			n, ok := inside[p]
			if !ok {
				t.Fatal("a proposal came out twice or was never put")
			}
			delete(inside, p)
			return n
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				p := waiting(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "store"), rapid.IntRange(1, 2*bulkBytes).Draw(t, "bytes"))
				if err := q.put(p); err != nil {
					t.Fatal(err)
				}
				number++
				inside[p] = number
			},
			"take": func(t *rapid.T) {
				batch, bytes := q.take(), 0
				under += min(len(batch), 1)
				if len(batch) > command.MaxCommands {
					t.Fatalf("%d commands in an entry", len(batch))
				}
				for _, p := range batch {
					bytes += p.bytes
					lane := fmt.Sprint(p.command.Store, p.bulk())
					n := out(p)
					if n < latest[lane] {
						t.Fatal("a store's writes changed places")
					}
					latest[lane] = n
				}
				if len(batch) > 1 && bytes > maxPackBytes {
					t.Fatalf("%d bytes in an entry", bytes)
				}
			},
			"end": func(t *rapid.T) {
				if q.idle() != (under == 0) {
					t.Fatalf("idle is %v while %d entries are under way", q.idle(), under)
				}
				if under > 0 {
					under--
					q.ended(rapid.Bool().Draw(t, "bulk"))
				}
			},
			"cancel": func(t *rapid.T) {
				for p := range inside {
					if !q.cancel(p) {
						t.Fatal("a waiting proposal cannot be cancelled")
					}
					out(p)
					if q.cancel(p) {
						t.Fatal("cancelled twice")
					}
					return
				}
			},
			"": func(t *rapid.T) {
				bytes := 0
				for p := range inside {
					bytes += p.bytes
				}
				if q.count != len(inside) || q.bytes != bytes {
					t.Fatalf("the queue counts %d of %d bytes, it holds %d of %d", q.count, q.bytes, len(inside), bytes)
				}
			},
		})
		for _, p := range q.close(ErrClosed) {
			out(p)
		}
		if len(inside) != 0 {
			t.Fatalf("%d proposals were lost", len(inside))
		}
	})
}
