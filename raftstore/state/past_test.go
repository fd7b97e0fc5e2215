package state_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestPastThroughTheEngine asks the engine about a revision whose objects have
// gone since: their numbers must not be mistaken for those that a request gives.
func TestPastThroughTheEngine(t *testing.T) {
	c := start(t)
	c.s.Close()
	c.s = open(t, state.Options{Dir: c.dir, Retain: 1})
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	gone := []string{"document:a#viewer@group:g#member", "group:g#member@user:ana", "document:a#owner@user:bob"}
	for _, text := range gone {
		c.ok("a", ops(t, "create "+text))
	}
	for i := range 40 { // enough that undoing the rest is shorter than reading it all
		c.ok("a", ops(t, fmt.Sprintf("create document:b#viewer@user:u%d", i)))
	}
	at := c.s.AppliedRevision()
	for _, text := range gone {
		c.ok("a", ops(t, "delete "+text))
	}
	for i := range 20 {
		c.ok("a", ops(t, fmt.Sprintf("create document:c#viewer@user:u%d", i)))
	}
	if v := view(t, c.s, "a", 0); v.Distant() || v.Approach() != nil {
		t.Error("the newest revision is distant")
	}
	v := view(t, c.s, "a", at)
	if !v.Distant() {
		t.Error("a revision that the index has let go of is at hand")
	}
	if err := v.Approach(); err != nil || v.Distant() {
		t.Errorf("approached: %v, %v", err, v.Distant())
	}
	s, err := v.Schema()
	if err != nil {
		t.Fatal(err)
	}
	now := engine.View{Schema: s, Reader: v, Now: v.LogTime()}
	for user, want := range map[string]engine.Outcome{"ana": engine.Allowed, "bob": engine.Allowed, "u3": engine.Denied} {
		answer, err := engine.Check(t.Context(), now, engine.Question{Object: tuple.Object{Type: "document", ID: "a"},
			Permission: "view", Subject: tuple.Subject{Type: "user", ID: user}})
		if err != nil || answer.Outcome != want {
			t.Errorf("view document:a for %s in the past: %v, %v, want %v", user, answer.Outcome, err, want)
		}
	}
	found, err := engine.LookupSubjects(t.Context(), now, engine.SubjectsQuestion{Object: tuple.Object{Type: "document", ID: "a"},
		Permission: "view", Type: "user"}, engine.Page{})
	if err != nil || len(found.Found) != 2 {
		t.Errorf("who could view document:a: %v, %v, want ana and bob", found.Found, err)
	}
}
