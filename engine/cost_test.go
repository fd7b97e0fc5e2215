package engine_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// counting counts what a question reads, so that cost is held without a clock.
type counting struct {
	*memory.Reader
	reads *int
}

func (c counting) Edge(n tuple.Node, r tuple.RelationID, s tuple.Ref) (tuple.Edge, bool, error) {
	*c.reads++
	return c.Reader.Edge(n, r, s)
}

func (c counting) Row(n tuple.Node, into []tuple.Edge) (int, bool, error) {
	read, whole, err := c.Reader.Row(n, into)
	c.counted(read)
	return read, whole, err
}

func (c counting) Usersets(n tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	read, next, err := c.Reader.Usersets(n, r, from, into)
	return c.counted(read), next, err
}

func (c counting) Subjects(n tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	read, next, err := c.Reader.Subjects(n, r, from, into)
	return c.counted(read), next, err
}

func (c counting) Objects(s tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	read, next, err := c.Reader.Objects(s, relation, from, into)
	return c.counted(read), next, err
}

func (c counting) counted(read int) int {
	*c.reads += 1 + read
	return read
}

// reads returns how many edges a check reads, its answer being right.
func reads(t *testing.T, v engine.View, text string, want engine.Outcome) int {
	t.Helper()
	n := 0
	v.Reader = counting{v.Reader.(*memory.Reader), &n}
	expect(t, v, text, want)
	return n
}

func TestCostIsBoundedByTheCheaperEnd(t *testing.T) {
	t.Run("a group of 10,000 groups", func(t *testing.T) {
		v := subgroups(10_000).view(t, groups())
		for text, want := range map[string]engine.Outcome{"user:u9999-3 view document:readme": engine.Allowed, "user:zoe view document:readme": engine.Denied} {
			if n := reads(t, v, text, want); n > 150 {
				t.Errorf("%s reads %d edges", text, n)
			}
		}
	})
	t.Run("a user in 10,000 groups", func(t *testing.T) {
		g := &graph{}
		for i := range 10_000 {
			g.add("group", fmt.Sprint(i), "member", "user", "ana", "")
		}
		g.add("document", "readme", "viewer", "group", "x", "member")
		g.add("document", "readme", "viewer", "group", "7", "member")
		if n := reads(t, g.view(t, groups()), "user:ana view document:readme", engine.Allowed); n > 150 {
			t.Errorf("reads %d edges", n)
		}
	})
	t.Run("a group of 1,000 groups and a user in 1,000 others", func(t *testing.T) {
		g := subgroups(1000)
		for i := range 1000 {
			g.add("group", fmt.Sprint("other", i), "member", "user", "ana", "")
		}
		if n := reads(t, g.view(t, groups()), "user:ana view document:readme", engine.Denied); n > 12_000 {
			t.Errorf("reads %d edges", n)
		}
	})
	t.Run("a lattice of 10^10 paths", func(t *testing.T) {
		g := lattice(10, 10)
		g.add("group", "side", "member", "user", "zoe", "")
		v := g.view(t, groups())
		for text, want := range map[string]engine.Outcome{"user:ana view document:readme": engine.Allowed, "user:zoe view document:readme": engine.Denied} {
			if n := reads(t, v, text, want); n > 4000 {
				t.Errorf("%s reads %d edges", text, n)
			}
		}
	})
}
