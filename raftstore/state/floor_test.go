package state_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestFloor: below the floor a read is refused and never wrong; at the floor and
// above it answers what it answered, after Badger has dropped what it may.
func TestFloor(t *testing.T) {
	c := start(t)
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	read := func(at tuple.Revision) string {
		t.Helper()
		v, err := c.s.View("a", at)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		return fmt.Sprint(tuples(t, v, tuple.Filter{}), v.LogTime())
	}
	want := map[tuple.Revision]string{}
	for i := range 300 {
		verb := []string{"touch", "delete"}[i%2]
		c.ok("a", ops(t, fmt.Sprintf("%s document:d%d#viewer@user:ana", verb, i/2%3), fmt.Sprintf("touch document:x#viewer@user:u%d", i%7)))
		want[tuple.Revision(c.index)] = read(0)
	}
	floor := tuple.Revision(c.index - 50)
	held := view(t, c.s, "a", floor-100)
	heldWant := fmt.Sprint(tuples(t, held, tuple.Filter{}))
	c.ok("", &command.SetFloor{Revision: floor})
	c.rejected(command.CodeFloorAhead, "", &command.SetFloor{Revision: floor + 1000})
	if err := c.s.Persist(); err != nil {
		t.Fatal(err)
	}
	_, err := c.s.View("a", floor-1)
	var gone *state.RevisionError
	if !errors.Is(err, state.ErrHistoryGone) || !errors.As(err, &gone) || gone.Floor != floor {
		t.Errorf("a view below the floor: %v", err)
	}
	_, err = c.s.View("a", tuple.Revision(c.index)+1)
	if !errors.Is(err, state.ErrAhead) {
		t.Errorf("a view ahead: %v", err)
	}
	squeeze := func() {
		t.Helper()
		if _, err := c.s.Clean(); err != nil {
			t.Fatal(err)
		}
		if err := c.s.Compact(); err != nil {
			t.Fatal(err)
		}
	}
	squeeze()
	if got := fmt.Sprint(tuples(t, held, tuple.Filter{})); got != heldWant {
		t.Errorf("a view that was open before sees %s, want %s", got, heldWant)
	}
	held.Close()
	if err := c.s.Persist(); err != nil { // raises what may be dropped to the floor
		t.Fatal(err)
	}
	squeeze()
	before, last := c.s.Versions(), tuple.Revision(c.index)
	for i := range 6 { // each leaves a table of its own, and so many get merged
		c.ok("a", ops(t, fmt.Sprintf("touch document:y%d#viewer@user:ana", i)))
		if err := c.s.Close(); err != nil {
			t.Fatal(err)
		}
		c.s = open(t, state.Options{Dir: c.dir})
	}
	squeeze()
	if after := c.s.Versions(); after > before/2 {
		t.Errorf("%d versions before, %d after: Badger dropped too little", before, after)
	}
	for rev := floor; rev < last-1; rev++ {
		if got := read(rev); got != want[rev] {
			t.Errorf("revision %d reads %s, want %s", rev, got, want[rev])
		}
	}
}

// TestClean: records and deleted stores go once the floor has passed them, and
// what is above still answers.
func TestClean(t *testing.T) {
	c := start(t)
	for _, name := range []string{"a", "b"} {
		c.ok(name, &command.PutStore{})
		c.ok(name, putSchema(t, docs))
	}
	for i := range 200 {
		c.ok("a", ops(t, fmt.Sprintf("touch document:d%d#viewer@user:ana", i%10), fmt.Sprintf("delete document:d%d#viewer@user:ana", (i+5)%10)))
		c.ok("b", ops(t, fmt.Sprintf("touch document:d%d#viewer@user:ana", i)))
	}
	first := c.ok("b", &command.DeleteStore{})
	second := c.ok("b", &command.PutStore{})
	if second.Store.ID <= first.Store.ID {
		t.Errorf("the store's number %d was given again as %d", first.Store.ID, second.Store.ID)
	}
	read := func(at tuple.Revision) string {
		t.Helper()
		v, err := c.s.View("a", at)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if err := v.Verify(); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(tuples(t, v, tuple.Filter{}), v.LogTime())
	}
	floor := tuple.Revision(c.index)
	atFloor := read(floor)
	for i := range 5 {
		c.ok("a", ops(t, fmt.Sprintf("delete document:d%d#viewer@user:ana", i+5)))
	}
	last := tuple.Revision(c.index)
	atHead := read(last)
	c.ok("", &command.SetFloor{Revision: floor})
	if n, err := c.s.Clean(); n != 0 || err != nil {
		t.Errorf("%d keys removed before the floor is durable (%v)", n, err)
	}
	if err := c.s.Persist(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.s.Clean(); err != nil {
		t.Fatal(err)
	}
	if err := c.s.Compact(); err != nil {
		t.Fatal(err)
	}
	if got := read(floor); got != atFloor {
		t.Errorf("the floor reads %s, want %s", got, atFloor)
	}
	if got := read(last); got != atHead {
		t.Errorf("the head reads %s, want %s", got, atHead)
	}
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c.s = open(t, state.Options{Dir: c.dir})
	if read(floor) != atFloor || read(last) != atHead {
		t.Error("a restart reads otherwise")
	}
	if _, err := c.s.Watch("a", floor-1, tuple.Filter{}); !errors.Is(err, state.ErrHistoryGone) {
		t.Errorf("a watch from below the floor: %v", err)
	}
	after := watched(t, c.s, "a", floor)
	for _, e := range after {
		if len(e.Changes) != 1 || e.Changes[0].Op != state.Delete {
			t.Errorf("effects above the floor: %+v", e)
		}
	}
	if n := len(after); n != 5 {
		t.Errorf("%d effects above the floor, want 5", n)
	}
}
