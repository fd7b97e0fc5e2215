package server

import (
	"context"
	"sync"
	"time"
)

// deadline is a request's context: it ends with its parent or at an instant. It
// is context.WithDeadline without a timer, which would cost as much as a check:
// who asks Err reads the clock, and only Done makes a timer.
type deadline struct {
	context.Context // the parent
	at              time.Time

	mu    sync.Mutex      // guards what follows
	timed context.Context // made by the first Done
	stop  context.CancelFunc
}

// Deadline returns when the context ends at the latest.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Err says why the context has ended; nil when it has not.
func (d *deadline) Err() error {
	if err := d.Context.Err(); err != nil {
		return err
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed != nil {
		return d.timed.Err()
	}
	return nil
}

// Done returns a channel that is closed when the context ends.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed == nil {
		d.timed, d.stop = context.WithDeadline(d.Context, d.at)
	}
	return d.timed.Done()
}

// Value returns what the parent has, and lets package context find the timer's
// context, so that its children need no goroutine.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	timed := d.timed
	d.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}

// end lets go of the timer. The context counts as cancelled afterwards for whoever
// still waits on it.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stop != nil {
		d.stop()
	}
}
