package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestNothingComesBack sets and deletes the same few tuples over and over, while
// the floor moves, tables are merged and the state is closed and opened: what was
// deleted stays away, at the head and at every revision that can be read.
func TestNothingComesBack(t *testing.T) {
	c := start(t)
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	rnd := rand.New(rand.NewPCG(8, 8))
	there := map[string]bool{}
	past := map[tuple.Revision]string{}
	now := func() string {
		text := ""
		for i := range 12 {
			if name := fmt.Sprintf("document:d%d#viewer@user:ana", i); there[name] {
				text += name + " "
			}
		}
		return text
	}
	read := func(at tuple.Revision) string {
		t.Helper()
		v, err := c.s.View("a", at)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		text := ""
		for i := range 12 {
			name := fmt.Sprintf("document:d%d#viewer@user:ana", i)
			if got := tuples(t, v, tuple.Filter{ObjectType: "document", ObjectID: fmt.Sprint("d", i)}); len(got) > 0 {
				text += name + " "
			}
		}
		return text
	}
	for round := range 12 {
		for range 60 {
			name := fmt.Sprintf("document:d%d#viewer@user:ana", rnd.IntN(12))
			verb := "touch"
			if there[name] = !there[name]; !there[name] {
				verb = "delete"
			}
			c.ok("a", ops(t, verb+" "+name))
			past[tuple.Revision(c.index)] = now()
		}
		if round%3 == 1 {
			c.ok("", &command.SetFloor{Revision: tuple.Revision(c.index) - 30})
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
		if round%2 == 1 {
			if err := c.s.Close(); err != nil {
				t.Fatal(err)
			}
			c.s = open(t, state.Options{Dir: c.dir})
		}
		if got, want := read(0), now(); got != want {
			t.Fatalf("round %d: there is %s, want %s", round, got, want)
		}
		for rev, want := range past {
			if rev < c.s.Floor() {
				delete(past, rev)
			} else if got := read(rev); got != want {
				t.Fatalf("round %d, revision %d: there was %s, want %s", round, rev, got, want)
			}
		}
		if err := c.s.Scrub(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}
