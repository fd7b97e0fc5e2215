package engine_test

import (
	"errors"
	"fmt"
	"strconv"
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

// TestExclusionNeverReadsProvisionalValue is the trap of open cycles: a value
// found while its cycle is open must not decide an exclusion.
func TestExclusionNeverReadsProvisionalValue(t *testing.T) {
	v := view(t, groups(), "group:a#member@group:b#member", "group:b#member@group:a#member", "group:a#member@user:ana",
		"document:d#viewer@group:a#member", "document:d#banned@group:b#member")
	expect(t, v, "user:ana view document:d", engine.Denied)
	expect(t, v, "user:ana viewer document:d", engine.Allowed)
	expect(t, v, "user:bob view document:d", engine.Denied)
}

// chain is a reader of one long chain: group i holds the members of group i+1,
// and the last one holds the one user. Nodes count from 1; the user is the last.
type chain struct {
	depth         int
	member        tuple.RelationID
	group, person tuple.TypeID
}

func (c chain) user() tuple.Node { return tuple.Node(c.depth + 1) }

func (c chain) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	if t == c.person {
		if id == "ana" {
			return c.user(), nil
		}
		return 0, nil
	}
	n, err := strconv.Atoi(id)
	return tuple.Node(n), err
}

func (c chain) Pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, err = c.Node(a.Type, a.ID); err == nil {
		m, err = c.Node(b.Type, b.ID)
	}
	return n, m, err
}

func (c chain) Object(n tuple.Node) (tuple.TypeID, string, error) {
	if n == c.user() {
		return c.person, "ana", nil
	}
	return c.group, strconv.Itoa(int(n)), nil
}

func (c chain) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	return tuple.IDs(c.Object, nodes, text, ends)
}

func (c chain) Closure(tuple.Ref, tuple.RelationID, []tuple.Node) (int, bool, error) {
	return 0, false, nil
}

// next is the one subject of a group.
func (c chain) next(n tuple.Node) tuple.Ref {
	if int(n) == c.depth {
		return tuple.Ref{Node: c.user()}
	}
	return tuple.Ref{Node: n + 1, Relation: c.member}
}

func (c chain) Edge(n tuple.Node, _ tuple.RelationID, s tuple.Ref) (tuple.Edge, bool, error) {
	return tuple.Edge{Ref: s}, s == c.next(n), nil
}

func (c chain) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	t, _, err := c.Object(n)
	return t, false, err
}

func (c chain) Row(tuple.Node, []tuple.Edge) (int, bool, error) { return 0, false, nil }

func (c chain) Subjects(n tuple.Node, _ tuple.RelationID, _ tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	into[0] = tuple.Edge{Ref: c.next(n)}
	return 1, 0, nil
}

func (c chain) Usersets(n tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if int(n) == c.depth {
		return 0, 0, nil
	}
	return c.Subjects(n, r, from, into)
}

func (c chain) Objects(s tuple.Ref, _ tuple.RelationID, _ tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if s.Node > 1 && (s.Node == c.user()) == (s.Relation == 0) {
		into[0] = tuple.Edge{Ref: tuple.Ref{Node: s.Node - 1, Relation: c.member}}
		return 1, 0, nil
	}
	return 0, 0, nil
}

func (c chain) Nodes(tuple.TypeID, tuple.Cursor, []tuple.Node) (int, tuple.Cursor, error) {
	return 0, 0, nil
}

func TestDeepChainAnswers(t *testing.T) {
	s := groups()
	v := engine.View{Schema: s, Now: noon, Reader: chain{1_000_000, s.Type("group").Relation("member").ID, s.Type("group").ID, s.Type("user").ID}}
	expect(t, v, "user:ana member group:1", engine.Allowed)
	expect(t, v, "user:bob member group:1", engine.Denied)
	v.Limits.Nodes = 1000
	if _, err := engine.Check(t.Context(), v, question(t, "user:ana member group:1")); !errors.Is(err, engine.ErrBudget) {
		t.Errorf("a spent budget: got %v, want ErrBudget", err)
	}
}
