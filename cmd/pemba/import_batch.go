package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// send writes the tuples of all files in batches.
func send(c *cli.Context, store *client.Store, files []*inputFile, result *imported) error {
	begin := time.Now()
	defer func() { result.Took = time.Since(begin) }()
	batch := newBatch(store, c.Int("batch"), c.Int("parallel"), result)
	if !c.Bool("json") && result.Tuples > batch.most {
		batch.progress = c.App.ErrWriter
	}
	add := func() error {
		for _, in := range files {
			entries, err := in.entries()
			if err != nil {
				return err
			}
			for e, err := range entries {
				if err != nil {
					return err // it was good a moment ago: the file has changed
				}
				if err := batch.add(c.Context, e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := add(); err != nil {
		batch.under.Wait()
		return cmp.Or(batch.failure(), err)
	}
	return batch.end(c.Context)
}

// batch gathers tuples for one write, while others are under way. A tuple that it
// holds already begins the next one, since a write may name a tuple once; and that
// one waits for all before it, since the last line about a tuple counts.
type batch struct {
	store    *client.Store
	most     int
	pending  []tuplefile.Entry
	keys     map[string]bool // of pending
	total    int
	progress io.Writer // nil: none

	slots chan struct{} // holds one element per write under way
	under sync.WaitGroup

	mu     sync.Mutex      // guards what follows
	busy   map[string]bool // keys under way
	sent   int
	result *imported
	err    error // of the first write that failed
	tenths int   // of the whole, and when they were said last
	said   time.Time
}

func newBatch(store *client.Store, most, parallel int, result *imported) *batch {
	return &batch{store: store, most: most, keys: map[string]bool{}, total: result.Tuples,
		slots: make(chan struct{}, parallel), busy: map[string]bool{}, result: result, said: time.Now()}
}

// add fails where a write has failed by now.
func (b *batch) add(ctx context.Context, e tuplefile.Entry) error {
	key := e.Tuple.Key.String()
	if len(b.pending) == b.most || b.keys[key] {
		b.flush(ctx)
		if err := b.failure(); err != nil {
			return err
		}
	}
	b.keys[key] = true
	b.pending = append(b.pending, e)
	return nil
}

// end writes what is left and waits for all. The last write goes alone, so that
// its token is one of all.
func (b *batch) end(ctx context.Context) error {
	b.under.Wait()
	b.flush(ctx)
	b.under.Wait()
	return b.failure()
}

func (b *batch) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// flush begins to write what is pending.
func (b *batch) flush(ctx context.Context) {
	if len(b.pending) == 0 || b.failure() != nil {
		return
	}
	if b.meets() {
		b.under.Wait()
	}
	entries, keys := b.pending, b.keys
	b.pending, b.keys = nil, make(map[string]bool, b.most)
	b.slots <- struct{}{}
	if b.failure() != nil { // of the write that had the slot: nothing goes behind it
		<-b.slots
		return
	}
	b.mu.Lock()
	for key := range keys {
		b.busy[key] = true
	}
	b.mu.Unlock()
	b.under.Go(func() {
		defer func() { <-b.slots }()
		wire := make([]api.Tuple, len(entries))
		for i, e := range entries {
			wire[i] = api.FromTuple(e.Tuple)
		}
		answer, err := b.store.Touch(ctx, wire...)
		b.mu.Lock()
		defer b.mu.Unlock()
		for key := range keys {
			delete(b.busy, key)
		}
		switch {
		case err == nil:
			b.written(len(entries), answer)
		case b.err == nil:
			b.err = b.explain(entries, err)
		}
	})
}

// meets says whether a pending tuple is under way already.
func (b *batch) meets() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.keys {
		if b.busy[key] {
			return true
		}
	}
	return false
}

// written counts a write that was acknowledged. The mutex is held.
func (b *batch) written(count int, answer api.WriteResponse) {
	b.sent += count
	b.result.Written += answer.Written
	b.result.Token = string(answer.Token)
	if tenth := 10 * b.sent / b.total; b.progress != nil && (tenth > b.tenths || time.Since(b.said) > 5*time.Second) {
		b.tenths, b.said = tenth, time.Now()
		fmt.Fprintf(b.progress, "%d of %d tuples (%d%%)\n", b.sent, b.total, 100*b.sent/b.total)
	}
}

// explain says which lines a refused batch is about, and what was written before
// it. The mutex is held.
func (b *batch) explain(entries []tuplefile.Entry, err error) error {
	before := fmt.Sprintf("%s of %d were written before the fault; repeating the import writes the rest", plural(b.sent, "tuple"), b.total)
	problem := api.AsProblem(err)
	if problem == nil {
		return fmt.Errorf("%w (%s)", err, before)
	}
	for i, f := range problem.Errors {
		rest, ok := strings.CutPrefix(f.Pointer, "/operations/")
		number, _, _ := strings.Cut(rest, "/")
		if n, convErr := strconv.Atoi(number); ok && convErr == nil && n >= 0 && n < len(entries) {
			e := entries[n]
			problem.Errors[i].File, problem.Errors[i].Line, problem.Errors[i].Column = e.Place.File, e.Place.Line, e.Place.Column
			problem.Errors[i].Excerpt = clipped(e.Tuple.String())
		}
	}
	if b.sent > 0 {
		problem.Errors = append(problem.Errors, api.Fault{Code: problem.Code, Message: before})
	}
	return problem
}
