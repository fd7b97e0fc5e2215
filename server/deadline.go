package server

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is a request's context: it ends with its parent or at an instant. It
// is context.WithDeadline without a timer, which would cost as much as a check:
// who asks Err reads the clock, and only Done makes a timer.
type deadline struct {
	context.Context // the parent
	at              time.Time

	making sync.Mutex            // held while timed is made
	timed  atomic.Pointer[timed] // made by the first Done
}

// timed is what a deadline with a timer waits on.
type timed struct {
	context.Context
	stop context.CancelFunc
}

// Deadline returns when the context ends at the latest.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Err says why the context has ended; nil when it has not.
func (d *deadline) Err() error { return d.errAt(time.Until(d.at) <= 0) }

// errAt is Err for who has read the clock.
func (d *deadline) errAt(late bool) error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if late {
		return context.DeadlineExceeded
	}
	if t := d.timed.Load(); t != nil {
		return t.Err()
	}
	return nil
}

// Done returns a channel that is closed when the context ends.
func (d *deadline) Done() <-chan struct{} {
	d.making.Lock()
	defer d.making.Unlock()
	if d.timed.Load() == nil {
		t := &timed{}
		t.Context, t.stop = context.WithDeadline(d.Context, d.at)
		d.timed.Store(t)
	}
	return d.timed.Load().Done()
}

// Value returns what the parent has, and lets package context find the timer's
// context, so that its children need no goroutine.
func (d *deadline) Value(key any) any {
	if t := d.timed.Load(); t != nil {
		return t.Value(key)
	}
	return d.Context.Value(key)
}

// end lets go of the timer. The context counts as cancelled afterwards for whoever
// still waits on it.
func (d *deadline) end() {
	if t := d.timed.Load(); t != nil {
		t.stop()
	}
}
