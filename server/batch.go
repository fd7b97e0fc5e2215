package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// checkBatch answers POST …/check/batch: every question at the same revision and
// instant, each with an answer or a problem of its own.
func (s *Server) checkBatch(ctx context.Context, w http.ResponseWriter, r *http.Request, store string) error {
	text, err := s.text(w, r)
	if err != nil {
		return err
	}
	b := batches.Get().(*batch)
	defer b.giveBack()
	if !body.ReadBatch(text, &b.request) {
		b.request = api.BatchRequest{}
		if err := decodeStrict([]byte(text), s.limits.JSONDepth, &b.request); err != nil {
			return err
		}
	}
	if n := len(b.request.Checks); n > s.limits.BatchChecks {
		return api.Faults{tooMany("/checks", "questions", n, s.limits.BatchChecks, "batch_checks")}.Problem()
	}
	snap, err := s.open(ctx, store, b.request.Moment)
	if err != nil {
		return err
	}
	defer snap.Close()
	b.response.Evaluated = snap.evaluated
	b.response.Results = append(b.response.Results[:0], make([]api.BatchResult, len(b.request.Checks))...)
	b.answers = slices.Grow(b.answers[:0], len(b.request.Checks))[:len(b.request.Checks)]
	for _, group := range s.groups(b) {
		if err := s.checkGroup(snap, group, b); err != nil {
			return err
		}
	}
	out := borrow()
	defer out.giveBack()
	if out.text, err = body.AppendBatchResponse(out.text, &b.response); err != nil {
		return err
	}
	writeJSON(w, out)
	return nil
}

// batch is the memory of one batch, used again and again.
type batch struct {
	request  api.BatchRequest
	response api.BatchResponse
	answers  []api.Answer // what results point to
	plain    group        // of the questions that bring nothing along
}

var batches = sync.Pool{New: func() any { return &batch{} }}

// giveBack forgets the batch, and what it held of the request's text.
func (b *batch) giveBack() {
	if cap(b.request.Checks) > 16<<10 {
		return
	}
	clear(b.request.Checks)
	clear(b.response.Results)
	clear(b.answers)
	clear(b.plain.questions)
	b.request = api.BatchRequest{Checks: b.request.Checks[:0]}
	b.response = api.BatchResponse{Results: b.response.Results[:0]}
	batches.Put(b)
}

// group is questions of a batch that bring the same along, so that they share
// what the engine finds out.
type group struct {
	brought
	indices   []int
	questions []engine.Question
}

// groups sorts the questions of a batch; those with faults get their problem at once.
func (s *Server) groups(b *batch) []*group {
	b.plain = group{indices: b.plain.indices[:0], questions: b.plain.questions[:0]}
	groups := []*group{&b.plain}
	var same map[string]*group
	for i := range b.request.Checks {
		wire := &b.request.Checks[i]
		asked, faults := ends(wire)
		g := &b.plain
		if key := broughtKey(wire); key != "" {
			with, wrong := s.bring(wire.Brought)
			faults = append(faults, wrong...)
			if g = same[key]; g == nil && len(faults) == 0 {
				g = &group{brought: with}
				groups = append(groups, g)
				if same == nil {
					same = map[string]*group{}
				}
				same[key] = g
			}
		}
		if len(faults) > 0 {
			b.response.Results[i].Problem = faults.Under("/checks/" + itoa(i)).Problem()
			continue
		}
		g.indices, g.questions = append(g.indices, i), append(g.questions, asked)
	}
	return groups
}

// broughtKey tells apart what questions bring along, by their exact text; "" is
// nothing.
func broughtKey(wire *api.Question) string {
	if len(wire.Context) == 0 && len(wire.ContextualTuples) == 0 {
		return ""
	}
	digest, err := requestDigest("", api.Question{Brought: wire.Brought})
	if err != nil {
		return itoa(len(wire.ContextualTuples)) + string(wire.Context) // cannot happen: it has been decoded from JSON
	}
	return string(digest[:])
}

// checkGroup answers the questions of a group in their places. Its error is the
// whole request's.
func (s *Server) checkGroup(snap *snapshot, g *group, b *batch) error {
	if len(g.questions) == 0 {
		return nil
	}
	view, err := s.engineView(snap, g.brought)
	var counts outcomeCounts
	defer s.metrics.answered(&counts)
	fail := func(i int, err error) {
		counts.failed.Add(1)
		problem := *s.problem(s.batchRoute.pattern, placesOf(g.questions[i]).of(err))
		problem.Errors = slices.Clone(problem.Errors).Under("/checks/" + itoa(g.indices[i]))
		b.response.Results[g.indices[i]].Problem = &problem
	}
	if err == nil {
		err = s.spread(snap, len(g.questions), func(ctx context.Context, from, to int) error {
			answers, err := engine.CheckAll(ctx, view, g.questions[from:to])
			for i, a := range answers {
				if a.Err != nil {
					fail(from+i, a.Err)
					continue
				}
				counts.outcomes[a.Answer.Outcome].Add(1)
				answer := &b.answers[g.indices[from+i]]
				*answer = wireAnswer(a.Answer)
				b.response.Results[g.indices[from+i]].Answer = answer
			}
			return err
		})
		if cause := snap.pace.Err(); cause != nil {
			return cause
		}
	}
	if err != nil { // the view is no good, for each of them
		for i := range g.questions {
			b.response.Results[g.indices[i]].Answer = nil
			fail(i, err)
		}
	}
	return nil
}

// A batch is cut into portions, which the cores share. A portion is long enough
// for its questions to share what the engine finds out.
const portion = 128

// spread runs work over the numbers below n, portion by portion: here, and beside
// it on as many seats of the lane as nobody else needs. It returns the first
// error, and panics where work does.
func (s *Server) spread(snap *snapshot, n int, work func(ctx context.Context, from, to int) error) error {
	var (
		next  atomic.Int64
		group sync.WaitGroup
		ends  = make(chan error, 1+cap(s.lane.seats))
		run   = func(ctx context.Context) {
			var err error
			for from := 0; err == nil; {
				if from = int(next.Add(portion)) - portion; from >= n {
					break
				}
				err = work(ctx, from, min(from+portion, n))
			}
			if err != nil {
				next.Store(int64(n)) // nobody begins another
			}
			ends <- err
		}
	)
	for range min(cap(s.lane.seats), (n-1)/portion) {
		if !s.lane.trySit() {
			break
		}
		snap.pace.long = true // or the others would rest for it
		group.Go(func() {
			p := s.lane.pace(snap.pace.Context)
			p.seated = true
			defer p.leave()
			defer func() {
				if p := recover(); p != nil {
					ends <- &panicked{p, debug.Stack()}
				}
			}()
			run(&p)
		})
	}
	func() {
		defer func() { // after a panic too: the others use what belongs to the request
			next.Store(int64(n))
			snap.pace.leave() // they may wait for the seat
			group.Wait()
		}()
		run(&snap.pace)
	}()
	close(ends)
	var failed error
	for err := range ends {
		if p, ok := err.(*panicked); ok {
			panic(p)
		}
		failed = cmp.Or(failed, err)
	}
	return failed
}

// panicked is a panic on its way to the goroutine of the request.
type panicked struct {
	value any
	stack []byte
}

// Error says where it was.
func (p *panicked) Error() string { return fmt.Sprintf("%v\n%s", p.value, p.stack) }
