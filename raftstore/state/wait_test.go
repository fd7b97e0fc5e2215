package state_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
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

func TestEffects(t *testing.T) {
	c := start(t)
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	c.ok("b", &command.PutStore{})
	c.apply(
		command.Command{Store: "a", Body: ops(t, "create document:a#viewer@user:ana", "create document:b#viewer@user:ana")},
		command.Command{Store: "a", Body: ops(t, "delete document:b#viewer@user:ana", "touch document:a#viewer@user:ana until 2100-01-01T00:00:00Z")})
	c.ok("a", ops(t, "touch document:a#viewer@user:ana"))
	narrow := putSchema(t, "pemba 1\ntype user\ntype document {\n  relation owner: [user]\n}\n")
	narrow.Orphans = command.OrphansIgnore
	c.ok("a", narrow)
	var got []string
	for e, err := range c.s.Effects("a", 0) {
		if err != nil {
			t.Fatal(err)
		}
		line := ""
		for _, flag := range []struct {
			is   bool
			name string
		}{{e.Created, "created "}, {e.Schema, "schema "}, {e.Deleted, "deleted "}} {
			if flag.is {
				line += flag.name
			}
		}
		for _, ch := range e.Changes {
			side := func(tu *tuple.Tuple) string {
				if tu == nil {
					return "-"
				}
				return tu.String()
			}
			line += side(ch.Before) + " → " + side(ch.After)
			if ch.Quarantine {
				line += " in quarantine"
			}
			line += "; "
		}
		got = append(got, line)
	}
	want := []string{"created ", "schema ",
		"- → document:a#viewer@user:ana until 2100-01-01T00:00:00Z; ",
		"document:a#viewer@user:ana until 2100-01-01T00:00:00Z → document:a#viewer@user:ana; ",
		"schema - → document:a#viewer@user:ana in quarantine; document:a#viewer@user:ana → -; "}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("effects %d: %s, want %s", i, got[i], want[i])
		}
	}
}
