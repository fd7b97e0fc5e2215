// Package load sends requests, by so many clients one after the other or at a
// fixed rate of arrival, and says how long they took.
//
// Call Run with an Operation. It knows nothing of what the requests are.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Operation is a kind of request.
type Operation struct {
	Name  string
	Items int  // what one request asks: the items of a batch; 0 is 1
	Local bool // it is answered in this process

	// Client makes the i-th client, which one goroutine uses.
	Client func(i int) (Client, error)
}

// Client makes requests.
type Client interface {
	// Do makes the next request and compares its answer. The error is a
	// *WrongAnswer where there was one and it was wrong.
	Do(ctx context.Context) error

	Close() error
}

// WrongAnswer says that an answer is not the right one.
type WrongAnswer struct{ Question, Got, Want string }

// Error returns what was asked, what was answered and what is right.
func (e *WrongAnswer) Error() string {
	return fmt.Sprintf("wrong answer: %s: got %s, want %s", e.Question, e.Got, e.Want)
}

// Plan says how to load. Without a rate every client sends its next request when
// the last one is answered.
type Plan struct {
	Clients  int
	Rate     float64       // requests per second that arrive, whether or not earlier ones are answered; 0: a closed loop
	Warmup   time.Duration // not counted
	Duration time.Duration // counted
}

// The span of histograms.
const (
	shortest = 1              // ns
	longest  = 60_000_000_000 // ns
	digits   = 3
)

// Run loads as the plan says, until it is through or the context ends. An error
// is of a client that could not be made; what goes wrong later is in the sample.
func Run(ctx context.Context, op Operation, plan Plan) (Sample, error) {
	r := &run{plan: plan, begin: time.Now()}
	r.from = r.begin.Add(plan.Warmup)
	r.until = r.from.Add(plan.Duration)
	workers := make([]*worker, plan.Clients)
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.client.Close()
			}
		}
	}()
	for i := range workers {
		client, err := op.Client(i)
		if err != nil {
			return Sample{}, fmt.Errorf("client %d of %s: %w", i, op.Name, err)
		}
		workers[i] = &worker{run: r, client: client, histogram: hdrhistogram.New(shortest, longest, digits)}
	}
	used, before := processTime(), readCollector()
	var wait sync.WaitGroup
	for _, w := range workers {
		if plan.Rate > 0 {
			wait.Go(func() { w.arrivals(ctx) })
		} else {
			wait.Go(func() { w.loop(ctx) })
		}
	}
	wait.Wait()
	s := sum(workers, op, plan, min(time.Since(r.from), plan.Duration+r.overtime(workers)))
	if made := s.Requests + s.Failed + s.Wrong + s.warmup; made > 0 {
		s.ClientCPU = Latency(processTime()-used) / Latency(made)
	}
	if op.Local {
		s.Collections = readCollector().since(before)
	}
	return s, nil
}

// run is what the workers share.
type run struct {
	plan               Plan
	begin, from, until time.Time
	arrived            atomic.Int64 // requests of a fixed rate that have been taken up
}

// overtime is how far behind the end the last request was answered.
func (r *run) overtime(workers []*worker) time.Duration {
	var last time.Duration
	for _, w := range workers {
		last = max(last, w.ended.Sub(r.until))
	}
	return last
}

type worker struct {
	*run
	client    Client
	histogram *hdrhistogram.Histogram
	requests  int
	warmup    int
	failed    int
	wrong     int
	lastError string
	ended     time.Time // of the last request counted
}

// loop sends a request when the last one is answered, and at least one that counts,
// however long they take.
func (w *worker) loop(ctx context.Context) {
	for begin := time.Now(); (begin.Before(w.until) || w.counted() == 0) && ctx.Err() == nil; begin = time.Now() {
		err := w.client.Do(ctx)
		w.count(ctx, begin, time.Now(), err)
	}
}

func (w *worker) counted() int { return w.requests + w.failed + w.wrong }

// arrivals takes up requests in the order of their arrival. Where all clients are
// busy a request waits, and the wait is part of its time: a slow answer does not
// hide those that should have been sent meanwhile.
func (w *worker) arrivals(ctx context.Context) {
	for {
		n := w.arrived.Add(1) - 1
		at := w.begin.Add(time.Duration(float64(n) / w.plan.Rate * float64(time.Second)))
		if !at.Before(w.until) {
			return
		}
		if wait := time.Until(at); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		err := w.client.Do(ctx)
		w.count(ctx, at, time.Now(), err)
	}
}

func (w *worker) count(ctx context.Context, begin, end time.Time, err error) {
	var wrong *WrongAnswer
	switch {
	case err != nil && ctx.Err() != nil: // cut off by the end
	case errors.As(err, &wrong): // counts in the warm-up too
		w.wrong++
		w.lastError = err.Error()
	case begin.Before(w.from) && err == nil:
		w.warmup++
	case err != nil:
		w.failed++
		w.lastError = err.Error()
	default:
		w.requests++
		w.ended = end
		took := max(int64(end.Sub(begin)), shortest)
		if w.histogram.RecordValue(took) != nil {
			w.histogram.RecordValue(longest)
		}
	}
}
