package engine_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// view builds what a question is asked over; tuples are texts.
func view(t testing.TB, s *schema.Schema, texts ...string) engine.View {
	t.Helper()
	tuples := make([]tuple.Tuple, len(texts))
	for i, text := range texts {
		var err error
		if tuples[i], err = tuple.Parse(text); err != nil {
			t.Fatal(err)
		}
	}
	r, err := memory.New(s, tuples)
	if err != nil {
		t.Fatal(err)
	}
	return engine.View{Schema: s, Reader: r, Now: noon}
}

// question reads "user:ana view document:readme".
func question(t testing.TB, text string) engine.Question {
	t.Helper()
	var subject, permission, object string
	if _, err := fmt.Sscan(text, &subject, &permission, &object); err != nil {
		t.Fatal(err)
	}
	s, err := tuple.ParseSubject(subject)
	if err != nil {
		t.Fatal(err)
	}
	o, err := tuple.ParseObject(object)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Question{Object: o, Permission: permission, Subject: s}
}

func outcome(t testing.TB, v engine.View, text string) engine.Outcome {
	t.Helper()
	a, err := engine.Check(t.Context(), v, question(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return a.Outcome
}

func expect(t *testing.T, v engine.View, text string, want engine.Outcome) {
	t.Helper()
	if got := outcome(t, v, text); got != want {
		t.Errorf("%s: got %v, want %v", text, got, want)
	}
}

// groups is the schema of the recursion tests: groups in groups, and a document
// that some may view except those who are banned.
func groups() *schema.Schema {
	b := newBuilder("user", "group", "document")
	b.relation("group", "member", shapes("user", "group#member"), direct())
	b.relation("document", "viewer", shapes("user", "user:*", "group#member"), direct())
	b.relation("document", "banned", shapes("user", "group#member"), direct())
	b.permission("document", "view", except(name("viewer"), name("banned")))
	return b.schema()
}

func TestCyclesEndInLeastFixpoint(t *testing.T) {
	v := view(t, groups(), "group:a#member@group:b#member", "group:b#member@group:c#member", "group:c#member@group:a#member",
		"group:c#member@user:ana")
	expect(t, v, "user:ana member group:a", engine.Allowed)
	expect(t, v, "user:ana member group:b", engine.Allowed)
	expect(t, v, "user:bob member group:a", engine.Denied)
	expect(t, v, "group:b#member member group:a", engine.Allowed)
	expect(t, v, "group:x#member member group:a", engine.Denied)
	expect(t, v, "group:x#member member group:x", engine.Allowed)
}

// TestExclusionNeverReadsProvisionalValue is the trap of language 2.3: a value
// found while its cycle is open must not decide an exclusion.
func TestExclusionNeverReadsProvisionalValue(t *testing.T) {
	v := view(t, groups(), "group:a#member@group:b#member", "group:b#member@group:a#member", "group:a#member@user:ana",
		"document:d#viewer@group:a#member", "document:d#banned@group:b#member")
	expect(t, v, "user:ana view document:d", engine.Denied)
	expect(t, v, "user:ana viewer document:d", engine.Allowed)
	expect(t, v, "user:bob view document:d", engine.Denied)
}

func TestDeepChainAnswers(t *testing.T) {
	const depth = 1_000_000
	tuples := make([]tuple.Tuple, 0, depth+1)
	at := func(i int) tuple.Object { return tuple.Object{Type: "group", ID: fmt.Sprint(i)} }
	for i := range depth {
		o := at(i + 1)
		tuples = append(tuples, tuple.Tuple{Key: tuple.Key{Object: at(i), Relation: "member",
			Subject: tuple.Subject{Type: o.Type, ID: o.ID, Relation: "member"}}})
	}
	tuples = append(tuples, tuple.Tuple{Key: tuple.Key{Object: at(depth), Relation: "member", Subject: tuple.Subject{Type: "user", ID: "ana"}}})
	s := groups()
	r, err := memory.New(s, tuples)
	if err != nil {
		t.Fatal(err)
	}
	v := engine.View{Schema: s, Reader: r, Now: noon}
	expect(t, v, "user:ana member group:0", engine.Allowed)
	expect(t, v, "user:bob member group:0", engine.Denied)
	v.Limits.Nodes = 1000
	if _, err := engine.Check(t.Context(), v, question(t, "user:ana member group:0")); !errors.Is(err, engine.ErrBudget) {
		t.Errorf("a spent budget: got %v, want ErrBudget", err)
	}
}
