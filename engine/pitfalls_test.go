package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Each test here is named for a class of wrong answers that other engines have
// shipped.

// broken is a reader that fails at one relation of one object.
type broken struct {
	*memory.Reader
	relation tuple.RelationID
	err      error
}

func (b broken) Edge(n tuple.Node, r tuple.RelationID, s tuple.Ref) (tuple.Edge, bool, error) {
	if r == b.relation {
		return tuple.Edge{}, false, b.err
	}
	return b.Reader.Edge(n, r, s)
}

func (b broken) Row(tuple.Node, []tuple.Edge) (int, bool, error) { return 0, false, nil }

func (b broken) Usersets(n tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if r == b.relation {
		return 0, 0, b.err
	}
	return b.Reader.Usersets(n, r, from, into)
}

func TestFaultUnderExclusionIsAnError(t *testing.T) {
	s := groups()
	v := view(t, s, "document:d#viewer@user:ana", "document:d#banned@group:g#member", "group:g#member@group:h#member")
	q := question(t, "user:ana view document:d")
	t.Run("of the reader", func(t *testing.T) {
		broke := errors.New("the disk is gone")
		bad := v
		bad.Reader = broken{v.Reader.(*memory.Reader), s.Type("document").Relation("banned").ID, broke}
		if a, err := engine.Check(t.Context(), bad, q); !errors.Is(err, broke) {
			t.Errorf("got %v, %v", a, err)
		}
	})
	t.Run("of the budget", func(t *testing.T) {
		defer engine.ClimbNever()()
		spent := map[engine.Budget]bool{}
		for n := 1; n < 20; n++ {
			for _, limits := range []engine.Limits{{Nodes: n}, {Steps: n}, {Deadline: time.Now().Add(-time.Second)}} {
				small := v
				small.Limits = limits
				a, err := engine.Check(t.Context(), small, q)
				var budget *engine.BudgetError
				if errors.As(err, &budget) && errors.Is(err, engine.ErrBudget) {
					spent[budget.Of] = true
				} else if err != nil || a.Outcome != engine.Allowed {
					t.Errorf("within %+v: got %v, %v", limits, a, err)
				}
			}
		}
		if len(spent) != 3 {
			t.Errorf("no budget but of %v is ever spent", spent)
		}
	})
	t.Run("of a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, ask := range []func() error{
			func() error { _, err := engine.Check(ctx, v, q); return err },
			func() error { _, err := engine.CheckAll(ctx, v, []engine.Question{q}); return err },
			func() error { _, err := engine.Explain(ctx, v, q); return err },
			func() error {
				_, err := engine.Expand(ctx, v, q.Object, q.Permission, engine.ExpandOptions{})
				return err
			},
			func() error { _, err := engine.LookupPermissions(ctx, v, q.Object, q.Subject); return err },
			func() error {
				_, err := engine.LookupObjects(ctx, v, engine.ObjectsQuestion{Type: "document", Permission: "view", Subject: q.Subject}, engine.Page{})
				return err
			},
		} {
			if err := ask(); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that the context is cancelled", err)
			}
		}
	})
	t.Run("of a context that is cancelled on the way", func(t *testing.T) {
		g := subgroups(2000)
		g.add("group", "g1999", "member", "user", "ana", "")
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("enough")
		slow := g.view(t, s)
		slow.Reader = cancelling{slow.Reader, func() { cancel(stop) }}
		if a, err := engine.Explain(ctx, slow, question(t, "user:ana view document:readme")); !errors.Is(err, stop) {
			t.Errorf("got %v, %v", a, err)
		}
	})
}

// cancelling cancels the request when usersets are read.
type cancelling struct {
	engine.Reader
	cancel func()
}

func (c cancelling) Row(tuple.Node, []tuple.Edge) (int, bool, error) { return 0, false, nil }

func (c cancelling) Usersets(n tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	c.cancel()
	return c.Reader.Usersets(n, r, from, into)
}

// conditions is a schema with conditional tuples of every kind.
func conditions() *schema.Schema {
	b := newBuilder("user", "group", "document")
	b.condition("a", "a", condition.Param{Name: "a", Type: "bool"})
	b.condition("b", "b", condition.Param{Name: "b", Type: "bool"})
	b.condition("fails", "1 / zero == 1", condition.Param{Name: "zero", Type: "int"})
	b.relation("group", "member", shapes("user", "user with a", "user with fails"), direct())
	b.relation("document", "viewer", shapes("user", "user:*", "user:* with a", "user with a", "group#member", "group#member with b"), direct())
	b.relation("document", "banned", shapes("user", "user:*", "user with a", "user with fails"), direct())
	b.relation("document", "parent", shapes("document", "document with a", "document expiry?"), direct())
	b.permission("document", "view", except(name("viewer"), name("banned")))
	b.permission("document", "both", and(name("viewer"), name("banned")))
	b.permission("document", "all", every("parent", "viewer"))
	return b.schema()
}

func given(v engine.View, values map[string]string) engine.View {
	v.Context = &condition.Request{Values: map[string][]byte{}}
	for name, text := range values {
		v.Context.Values[name] = []byte(text)
	}
	return v
}

func TestSeveralConditionalBranchesToOneSubject(t *testing.T) {
	v := view(t, conditions(), "document:d#viewer@user:ana with a", "document:d#viewer@group:g#member with b", "group:g#member@user:ana")
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{nil, "conditional a,b"},
		{map[string]string{"a": "false"}, "conditional b"},
		{map[string]string{"a": "true"}, "allowed"},
		{map[string]string{"b": "true"}, "allowed"},
		{map[string]string{"a": "false", "b": "false"}, "denied"},
	} {
		if got := text(engine.Check(t.Context(), given(v, c.values), question(t, "user:ana view document:d"))); got != c.want {
			t.Errorf("with %v: got %s, want %s", c.values, got, c.want)
		}
	}
}

func TestOutcomesCombineInTheOrderOfTheLanguage(t *testing.T) {
	failing := "document:d#banned@user:ana with fails {\"zero\":0}"
	for _, c := range []struct {
		tuples []string
		ask    string
		want   string
	}{
		{[]string{failing}, "view", "denied"},
		{[]string{failing, "document:d#viewer@user:ana"}, "view", "error"},
		{[]string{failing, "document:d#viewer@user:ana with a"}, "view", "error"},
		{[]string{failing}, "both", "denied"},
		{[]string{failing, "document:d#viewer@user:ana with a"}, "both", "error"},
		{[]string{failing, "document:d#viewer@user:ana with a {\"a\":false}"}, "both", "denied"},
		{[]string{"document:d#banned@user:ana with a", "document:d#viewer@user:ana"}, "both", "conditional a"},
		{[]string{"document:d#viewer@group:g#member", "group:g#member@user:ana with fails {\"zero\":0}"}, "viewer", "error"},
		{[]string{"document:d#viewer@group:g#member", "group:g#member@user:ana with fails {\"zero\":0}", "document:d#viewer@user:*"}, "viewer", "allowed"},
	} {
		v := view(t, conditions(), c.tuples...)
		if got := text(engine.Check(t.Context(), v, question(t, "user:ana "+c.ask+" document:d"))); got != c.want {
			t.Errorf("%s over %q: got %s, want %s", c.ask, c.tuples, got, c.want)
		}
	}
}

func TestWildcardUnderExclusionAndCondition(t *testing.T) {
	v := view(t, conditions(), "document:d#viewer@user:*", "document:d#banned@user:bob",
		"document:e#viewer@user:* with a", "document:e#viewer@user:ana", "document:f#viewer@user:ana", "document:f#banned@user:*")
	expect(t, v, "user:ana view document:d", engine.Allowed)
	expect(t, v, "user:bob view document:d", engine.Denied)
	expect(t, v, "user:* view document:d", engine.Allowed)
	expect(t, v, "user:* viewer document:f", engine.Denied)
	expect(t, v, "user:ana view document:f", engine.Denied)
	expect(t, v, "user:ana view document:e", engine.Allowed)
	expect(t, v, "user:bob view document:e", engine.Conditional)
	expect(t, v, "group:g#member view document:d", engine.Denied)
	page, err := engine.LookupSubjects(t.Context(), v, engine.SubjectsQuestion{Object: tuple.Object{Type: "document", ID: "d"}, Permission: "view", Type: "user"}, engine.Page{})
	if got, want := subjectTexts(page.Found), []string{"* allowed", "bob denied"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("everyone but bob: got %q, %v, want %q", got, err, want)
	}
}

func TestEvery(t *testing.T) {
	later, earlier := " until 2030-01-01T12:00:01Z", " until 2030-01-01T12:00:00Z"
	for what, c := range map[string]struct {
		tuples []string
		want   string
	}{
		"over no tuple":          {nil, "denied"},
		"one fails":              {[]string{"document:d#parent@document:a", "document:d#parent@document:b"}, "denied"},
		"all hold":               {[]string{"document:d#parent@document:a"}, "allowed"},
		"condition is false":     {[]string{"document:d#parent@document:a", "document:d#parent@document:c with a {\"a\":false}"}, "denied"},
		"condition is open":      {[]string{"document:d#parent@document:a with a"}, "conditional a"},
		"expired tuple is gone":  {[]string{"document:d#parent@document:a", "document:d#parent@document:b" + earlier}, "allowed"},
		"tuple expires later":    {[]string{"document:d#parent@document:a", "document:d#parent@document:b" + later}, "denied"},
		"only expired tuples":    {[]string{"document:d#parent@document:a" + earlier}, "denied"},
		"expires at the instant": {[]string{"document:d#parent@document:a" + earlier}, "denied"},
	} {
		t.Run(what, func(t *testing.T) {
			v := view(t, conditions(), append(c.tuples, "document:a#viewer@user:ana")...)
			if got := text(engine.Check(t.Context(), v, question(t, "user:ana all document:d"))); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatDependsOnItsOwnNegationIsDenied(t *testing.T) {
	b := newBuilder("user", "document")
	b.relation("document", "viewer", shapes("user"), direct())
	b.permission("document", "odd", except(name("viewer"), name("odd")))
	b.permission("document", "left", except(name("viewer"), name("right")))
	b.permission("document", "right", except(name("viewer"), name("left")))
	b.permission("document", "view", except(name("viewer"), name("odd")))
	b.permission("document", "hidden", except(name("viewer"), name("view")))
	v := view(t, b.schema(), "document:d#viewer@user:ana")
	for _, n := range []string{"odd", "left", "right", "view", "hidden"} {
		expect(t, v, "user:ana "+n+" document:d", engine.Denied)
		expect(t, v, "user:bob "+n+" document:d", engine.Denied)
	}
	x, err := engine.Explain(t.Context(), v, question(t, "user:ana view document:d"))
	if err != nil || x.Root.Reason == "" {
		t.Errorf("the explanation does not name the negation: %v, %v", x, err)
	}
}

func TestTuplesOfAnOlderSchemaAreNotHonoured(t *testing.T) {
	v := view(t, conditions(), "document:d#banned@group:g#member", "group:g#member@user:ana", "document:d#parent@user:ana",
		"document:d#viewer@user:bob", "document:d#banned@user:bob with b")
	expect(t, v, "user:ana banned document:d", engine.Denied)
	expect(t, v, "user:ana parent document:d", engine.Denied)
	expect(t, v, "user:bob view document:d", engine.Allowed)
}

func TestIdentifiersAreNotFolded(t *testing.T) {
	v := view(t, groups(), "document:d#viewer@user:José", "document:D#viewer@user:ana")
	expect(t, v, "user:José view document:d", engine.Allowed)
	expect(t, v, "user:Jose\u0301 view document:d", engine.Denied)
	expect(t, v, "user:josé view document:d", engine.Denied)
	expect(t, v, "user:ana view document:d", engine.Denied)
}

func TestExpiryIsExactAtTheInstant(t *testing.T) {
	v := view(t, conditions(), "document:d#parent@document:a until 2030-01-01T12:00:00Z", "document:a#viewer@user:ana")
	for shift, want := range map[time.Duration]engine.Outcome{-1: engine.Allowed, 0: engine.Denied, 1: engine.Denied} {
		v.Now = noon.Add(shift)
		expect(t, v, "user:ana all document:d", want)
	}
	v.Now = time.Time{}
	if _, err := engine.Check(t.Context(), v, question(t, "user:ana all document:d")); err == nil {
		t.Error("a view without an instant answers")
	}
}
