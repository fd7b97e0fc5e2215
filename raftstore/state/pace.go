package state

import (
	"context"
	"time"
)

// pacer lets a long look at everything rest between small pieces of work, so that
// it does not take the place of requests. The zero value of rest never rests.
type pacer struct {
	ctx   context.Context
	rest  int // how long it rests, in parts of what it worked
	steps int
	since time.Time
}

const (
	paceSteps = 256
	paceWork  = 2 * time.Millisecond
)

// step is called for every piece. It returns the context's error.
func (p *pacer) step() error {
	if p.steps++; p.steps%paceSteps != 0 {
		return nil
	}
	if p.since.IsZero() {
		p.since = time.Now()
	}
	worked := time.Since(p.since)
	if p.rest == 0 || worked < paceWork {
		return p.ctx.Err()
	}
	select {
	case <-time.After(worked * time.Duration(p.rest)):
	case <-p.ctx.Done():
	}
	p.since = time.Now()
	return p.ctx.Err()
}
