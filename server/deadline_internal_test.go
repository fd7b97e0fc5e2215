package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A deadline is a context like the ones of package context, whichever of its
// methods is called first.
func TestDeadline(t *testing.T) {
	type key struct{}
	orders := map[string]func(ctx context.Context){
		"err alone":  func(context.Context) {},
		"done first": func(ctx context.Context) { ctx.Done() },
		"child": func(ctx context.Context) {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
		},
	}
	for name, first := range orders {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(context.WithValue(t.Context(), key{}, 7))
			defer cancel(nil)
			d := &deadline{Context: parent, at: time.Now().Add(time.Second)}
			defer d.end()
			if name != "child" {
				first(d)
			}
			if err := d.Err(); err != nil || d.Value(key{}) != 7 {
				t.Errorf("%s: early: %v, %v", name, err, d.Value(key{}))
			}
			if at, ok := d.Deadline(); !ok || time.Until(at) > time.Second {
				t.Errorf("%s: ends at %v, %v", name, at, ok)
			}
			if name == "child" {
				first(d)
			} else {
				time.Sleep(time.Second)
			}
			if err := context.Cause(d); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: late: %v", name, err)
			}
			<-d.Done()
		})
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(t.Context())
			d := &deadline{Context: parent, at: time.Now().Add(time.Hour)}
			defer d.end()
			if name == "done first" {
				first(d)
			}
			gone := errors.New("gone")
			cancel(gone)
			if !errors.Is(d.Err(), context.Canceled) || !errors.Is(context.Cause(d), gone) {
				t.Errorf("%s: cancelled: %v, %v", name, d.Err(), context.Cause(d))
			}
			<-d.Done()
		})
	}
}

// When the request is over, whoever still waits on its context is let go.
func TestDeadlineEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadline{Context: t.Context(), at: time.Now().Add(time.Hour)}
		child, cancel := context.WithTimeout(d, time.Minute)
		defer cancel()
		d.end()
		if <-child.Done(); child.Err() == nil {
			t.Error("the child goes on")
		}
	})
}
