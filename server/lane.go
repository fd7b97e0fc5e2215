package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pemba-authz/pemba/server/api"
)

// lane keeps requests that take long from slowing the others. The first moment of
// every request is free; who needs more goes on with a seat only, and there is a
// seat less than Go runs goroutines at once. Seats are passed on in the order of
// asking, after a slice of time, so that a short list does not wait for a long one
// to end; and while requests are answered that need no seat, those who have one
// rest.
type lane struct {
	base    time.Time
	seats   chan struct{} // holds one element per request that has a seat
	queue   int64         // most requests that wait for one
	waiting atomic.Int64
	short   atomic.Int64 // requests that were answered without a seat
}

const (
	freeSpan = 100 * time.Microsecond // most checks need a tenth
	slice    = time.Millisecond
)

func newLane(seats, queue int) *lane {
	return &lane{base: time.Now(), seats: make(chan struct{}, seats), queue: int64(queue)}
}

// sit waits for a seat.
func (l *lane) sit(ctx context.Context) error {
	if l.trySit() {
		return nil
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > l.queue {
		return api.NewProblem(api.Overloaded, fmt.Sprintf("the request takes long, and %d like it wait already", l.queue))
	}
	select {
	case l.seats <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lane) trySit() bool {
	select {
	case l.seats <- struct{}{}:
		return true
	default:
		return false
	}
}

func (l *lane) stand() { <-l.seats }

// rest is how long a seat rests after a slice while short requests come in: one
// alone two thirds of its time, and where all are taken each five sixths.
func (l *lane) rest() time.Duration {
	others, most := len(l.seats)-1, cap(l.seats)-1
	return 2*slice + 3*slice*time.Duration(max(0, others))/time.Duration(max(1, most))
}

// pace is a request's context for the engine, which asks it now and then whether
// to go on: that is where a long request waits for its seat. One goroutine uses
// it, and holds no lock when it asks.
type pace struct {
	context.Context
	lane   *lane
	seated bool
	long   bool          // it has had a seat
	until  time.Duration // since lane.base: when the free span or the slice ends
	over   time.Duration // since lane.base: when the request does, where its context is a deadline
	short  int64         // what lane.short was when it began
	failed error
}

// pace begins the free span of a request. Whoever gets it leaves it.
func (l *lane) pace(ctx context.Context) pace {
	p := pace{Context: ctx, lane: l, until: time.Since(l.base) + freeSpan}
	if d, ok := ctx.(*deadline); ok {
		p.over = d.at.Sub(l.base)
	}
	return p
}

// Err says why the request must end; nil lets it go on, perhaps after a wait.
func (p *pace) Err() error {
	now := time.Since(p.lane.base) // the one reading of the clock
	if err := p.ended(now); err != nil {
		return err
	}
	if p.failed == nil && now >= p.until {
		p.failed = p.next()
	}
	return p.failed
}

// ended is the error of the request's own context.
func (p *pace) ended(now time.Duration) error {
	if d, ok := p.Context.(*deadline); ok {
		return d.errAt(now >= p.over)
	}
	return p.Context.Err()
}

// next waits until there is another slice of time for the request.
func (p *pace) next() error {
	if p.seated {
		if p.lane.short.Load() != p.short {
			time.Sleep(p.lane.rest())
		}
		if p.lane.waiting.Load() > 0 {
			p.leave()
		}
	}
	if !p.seated {
		if err := p.lane.sit(p.Context); err != nil {
			return err
		}
		p.seated, p.long = true, true
	}
	p.until, p.short = time.Since(p.lane.base)+slice, p.lane.short.Load()
	return nil
}

// end leaves, for good.
func (p *pace) end() {
	p.leave()
	if !p.long {
		p.lane.short.Add(1)
	}
}

// leave gives the seat back, if there is one: at the end, and while the request
// waits for something else. It needs one again to go on.
func (p *pace) leave() {
	if p.seated {
		p.seated, p.until = false, 0
		p.lane.stand()
	}
}
