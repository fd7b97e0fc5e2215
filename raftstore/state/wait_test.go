package state_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
)

func TestWaitApplied(t *testing.T) {
	c := withDocs(t)
	ctx := context.Background()
	at := c.s.AppliedRevision()
	if err := c.s.WaitApplied(ctx, at); err != nil {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.s.WaitApplied(cancelled, at+1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
	done := make(chan error)
	go func() { done <- c.s.WaitApplied(ctx, at+2) }()
	c.ok("", &command.Marker{})
	select {
	case err := <-done:
		t.Fatalf("woke too early: %v", err)
	default:
	}
	c.ok("", &command.Marker{})
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- c.s.WaitApplied(ctx, at+100) }()
	for c.s.Waiters() == 0 {
		runtime.Gosched()
	}
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, state.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := c.s.View("a", 0); !errors.Is(err, state.ErrClosed) {
		t.Errorf("a view of a closed state: %v", err)
	}
}

// TestFault: an error of the local disk is no rejection; it stops the state for good.
func TestFault(t *testing.T) {
	c := withDocs(t)
	v := view(t, c.s, "a", 0)
	if err := c.s.BreakDisk(); err != nil {
		t.Fatal(err)
	}
	entry := command.Entry{Commands: []command.Command{{Store: "a", Body: ops(t, "create document:a#viewer@user:ana")}}}
	before := c.s.AppliedRevision()
	for range 2 {
		results, err := c.s.Apply(c.index+1, 1, entry)
		if err == nil || results != nil {
			t.Errorf("applied to a broken disk: %+v", results)
		}
	}
	if c.s.AppliedRevision() != before {
		t.Error("what was not written was published")
	}
	if n, err := v.Node(v.Numbering().TypeID("document"), "a"); err != nil || n != 0 {
		t.Errorf("node %d, %v", n, err)
	}
}
