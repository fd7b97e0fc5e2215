package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
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
	batch := batch{store: store, most: c.Int("batch"), result: result, total: result.Tuples, said: begin}
	if !c.Bool("json") && result.Tuples > batch.most {
		batch.progress = c.App.ErrWriter
	}
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
	return batch.flush(c.Context)
}

// batch gathers tuples for one write. A tuple that it holds already begins the
// next one: a write may name a tuple once.
type batch struct {
	store    *client.Store
	most     int
	pending  []tuplefile.Entry
	keys     map[string]bool
	sent     int
	total    int
	result   *imported
	progress io.Writer // nil: none
	tenths   int       // of the whole, and when they were said last
	said     time.Time
}

func (b *batch) add(ctx context.Context, e tuplefile.Entry) error {
	key := e.Tuple.Key.String()
	if len(b.pending) == b.most || b.keys[key] {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	if b.keys == nil {
		b.keys = make(map[string]bool, b.most)
	}
	b.keys[key] = true
	b.pending = append(b.pending, e)
	return nil
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.pending) == 0 {
		return nil
	}
	wire := make([]api.Tuple, len(b.pending))
	for i, e := range b.pending {
		wire[i] = api.FromTuple(e.Tuple)
	}
	answer, err := b.store.Touch(ctx, wire...)
	if err != nil {
		return b.explain(err)
	}
	b.sent += len(b.pending)
	b.result.Written += answer.Written
	b.result.Token = string(answer.Token)
	b.pending = b.pending[:0]
	clear(b.keys)
	if tenth := 10 * b.sent / b.total; b.progress != nil && (tenth > b.tenths || time.Since(b.said) > 5*time.Second) {
		b.tenths, b.said = tenth, time.Now()
		fmt.Fprintf(b.progress, "%d of %d tuples (%d%%)\n", b.sent, b.total, 100*b.sent/b.total)
	}
	return nil
}

// explain says which lines a refused batch is about, and what was written before it.
func (b *batch) explain(err error) error {
	before := fmt.Sprintf("%s of %d were written before the fault; repeating the import writes the rest", plural(b.sent, "tuple"), b.total)
	problem := api.AsProblem(err)
	if problem == nil {
		return fmt.Errorf("%w (%s)", err, before)
	}
	for i, f := range problem.Errors {
		rest, ok := strings.CutPrefix(f.Pointer, "/operations/")
		number, _, _ := strings.Cut(rest, "/")
		if n, convErr := strconv.Atoi(number); ok && convErr == nil && n >= 0 && n < len(b.pending) {
			e := b.pending[n]
			problem.Errors[i].File, problem.Errors[i].Line, problem.Errors[i].Column = e.Place.File, e.Place.Line, e.Place.Column
			problem.Errors[i].Excerpt = clipped(e.Tuple.String())
		}
	}
	if b.sent > 0 {
		problem.Errors = append(problem.Errors, api.Fault{Code: problem.Code, Message: before})
	}
	return problem
}
