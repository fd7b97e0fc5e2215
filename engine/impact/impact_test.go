package impact_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/impact"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func compile(t *testing.T, text string) *schema.Module {
	t.Helper()
	m, err := schema.Compile([]source.File{{Name: "test.pemba", Text: text}}, schema.NewNumbering())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return m
}

func each(tuples []tuple.Tuple) iter.Seq2[tuple.Tuple, error] {
	return func(yield func(tuple.Tuple, error) bool) {
		for _, t := range tuples {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func parse(t *testing.T, lines string) []tuple.Tuple {
	t.Helper()
	var tuples []tuple.Tuple
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		one, err := tuple.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		tuples = append(tuples, one)
	}
	return tuples
}

const before = `pemba 1
type user
type group {
  relation member: [user]
}
type doc {
  relation owner:  [user]
  relation viewer: [user | user:* | group#member]
  permission edit = owner
  permission view = viewer or owner
}
`

const live = `
doc:a#owner@user:ada
doc:a#owner@user:ann
doc:a#viewer@user:*
doc:b#viewer@group:g#member
doc:b#viewer@user:bob
group:g#member@user:gil
`

func TestFlips(t *testing.T) {
	tests := []struct {
		name, after    string
		orphans, flips []string
	}{
		{"nothing changed", before, nil, nil},
		{"the owner no longer views", strings.Replace(before, "viewer or owner", "viewer", 1), nil, nil}, // doc:a is everybody's
		{"a new permission", strings.Replace(before, "permission edit", "permission share = owner\n  permission edit", 1), nil,
			[]string{"doc:a share user:ada denied allowed", "doc:a share user:ann denied allowed"}},
		{"wildcards no longer admitted", strings.Replace(before, " | user:*", "", 1),
			[]string{"doc:a#viewer@user:* subject_not_admitted"},
			[]string{"doc:a view user:* allowed denied", "doc:a viewer user:* allowed denied"}},
		{"one owner at most", strings.Replace(before, "owner:  [user]", "owner:  [user] at most 1", 1),
			[]string{"doc:a#owner@user:ada at_most", "doc:a#owner@user:ann at_most"},
			[]string{"doc:a edit user:ada allowed denied", "doc:a edit user:ann allowed denied",
				"doc:a owner user:ada allowed denied", "doc:a owner user:ann allowed denied"}},
		{"everyone but the owner", strings.Replace(before, "viewer or owner", "viewer except owner", 1), nil,
			[]string{"doc:a view user:ada allowed denied", "doc:a view user:ann allowed denied"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, err := impact.Compare(t.Context(), impact.Change{
				Before: compile(t, before).Schema, After: compile(t, test.after), Tuples: each(parse(t, live)), Now: time.Unix(1, 0)})
			if err != nil {
				t.Fatal(err)
			}
			var orphans, flips []string
			for _, o := range c.Orphans {
				orphans = append(orphans, fmt.Sprintf("%s %s", o.Tuple.Key, o.Code))
			}
			for f, err := range c.Flips(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				flips = append(flips, describe(f))
			}
			if !slices.Equal(orphans, test.orphans) {
				t.Errorf("orphans %q, want %q", orphans, test.orphans)
			}
			if !slices.Equal(flips, test.flips) {
				t.Errorf("flips\n%q, want\n%q", flips, test.flips)
			}
		})
	}
}

func describe(f impact.Flip) string {
	words := []string{"denied", "conditional", "allowed"}
	return fmt.Sprintf("%s %s %s %s %s", f.Object, f.Permission, f.Subject, words[f.Before], words[f.After])
}

func TestTooLarge(t *testing.T) {
	m := compile(t, before)
	_, err := impact.Compare(t.Context(), impact.Change{Before: m.Schema, After: m, Tuples: each(parse(t, live)), Limits: impact.Limits{Tuples: 3}})
	if !errors.Is(err, impact.ErrTooLarge) {
		t.Errorf("got %v, want %v", err, impact.ErrTooLarge)
	}
}

func TestCancelled(t *testing.T) {
	m := compile(t, before)
	ctx, cancel := context.WithCancel(t.Context())
	c, err := impact.Compare(ctx, impact.Change{Before: m.Schema, After: compile(t, strings.Replace(before, "viewer or", "viewer and", 1)), Tuples: each(parse(t, live))})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for _, err := range c.Flips(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want an error: a report cut short is no report", err)
		}
	}
}

// Flips leaves out what the change cannot affect. Over random pairs of schemas it
// must still equal the plain difference of all decisions.
func TestFlipsEqualAllChecks(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	flipped := 0
	for seed := range rounds {
		random := rand.New(rand.NewPCG(uint64(seed), 3))
		old, new := compile(t, randomSchema(random)), compile(t, randomSchema(random))
		var tuples []tuple.Tuple
		for range 12 {
			one := randomTuple(random)
			if old.Admission.Index().Admit(one) == nil && !slices.Contains(tuples, one) {
				tuples = append(tuples, one)
			}
		}
		c, err := impact.Compare(t.Context(), impact.Change{Before: old.Schema, After: new, Tuples: each(tuples), Now: time.Unix(1, 0)})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for f, err := range c.Flips(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !f.Subject.IsWildcard() {
				got[describe(f)] = true
			}
		}
		kept := slices.DeleteFunc(slices.Clone(tuples), func(one tuple.Tuple) bool {
			return slices.ContainsFunc(c.Orphans, func(o impact.Orphan) bool { return o.Tuple == one })
		})
		for _, f := range allFlips(t, old, new, tuples, kept) {
			if !got[describe(f)] {
				t.Fatalf("seed %d: not reported: %s\n%v\n%s\n%s", seed, describe(f), tuples, old.Files[0].Text, new.Files[0].Text)
			}
			delete(got, describe(f))
			flipped++
		}
		if len(got) > 0 {
			t.Fatalf("seed %d: reported and not so: %v", seed, got)
		}
	}
	if flipped < rounds {
		t.Errorf("only %d flips over %d changes: the test has lost its grip", flipped, rounds)
	}
}

func randomSchema(random *rand.Rand) string {
	pick := func(options ...string) string { return options[random.IntN(len(options))] }
	return "pemba 1\ntype user\ntype group {\n  relation member: [" + pick("user", "user | group#member") + "]\n}\n" +
		"type doc {\n  relation parent: [doc]\n  relation a: [" + pick("user", "group#member", "user | group#member") + "]\n" +
		"  relation b: [user]\n" +
		"  permission p = " + pick("a", "b", "a or b", "a and b", "a except b", "parent->a", "every parent->a") + "\n" +
		"  permission q = " + pick("p", "p or b", "parent->p", "a except p") + "\n}\n"
}

func randomTuple(random *rand.Rand) tuple.Tuple {
	pick := func(options ...string) string { return options[random.IntN(len(options))] }
	var text string
	switch random.IntN(3) {
	case 0:
		text = "group:" + pick("g", "h") + "#member@" + pick("user:u", "user:v", "group:h#member", "group:g#member")
	case 1:
		text = "doc:" + pick("1", "2") + "#parent@doc:" + pick("1", "2", "3")
	default:
		text = "doc:" + pick("1", "2", "3") + "#" + pick("a", "b") + "@" + pick("user:u", "user:v", "group:g#member")
	}
	one, err := tuple.Parse(text)
	if err != nil {
		panic(err)
	}
	return one
}

// allFlips asks every question on both sides.
func allFlips(t *testing.T, old, new *schema.Module, tuples, kept []tuple.Tuple) []impact.Flip {
	t.Helper()
	var flips []impact.Flip
	for _, typ := range []string{"group", "doc"} {
		for _, r := range old.Schema.Type(typ).Relations {
			for _, id := range []string{"g", "h", "1", "2", "3"} {
				for _, subject := range []tuple.Subject{{Type: "user", ID: "u"}, {Type: "user", ID: "v"}, {Type: "doc", ID: "1"}, {Type: "doc", ID: "2"}, {Type: "doc", ID: "3"}} {
					q := engine.Question{Object: tuple.Object{Type: typ, ID: id}, Permission: r.Name, Subject: subject}
					was, is := ask(t, old.Schema, tuples, q), ask(t, new.Schema, kept, q)
					if was != is {
						flips = append(flips, impact.Flip{Object: q.Object, Permission: r.Name, Subject: subject, Before: was, After: is})
					}
				}
			}
		}
	}
	return flips
}

func ask(t *testing.T, s *schema.Schema, tuples []tuple.Tuple, q engine.Question) engine.Outcome {
	t.Helper()
	reader, err := memory.New(s, tuples)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := engine.Check(t.Context(), engine.View{Schema: s, Reader: reader, Now: time.Unix(1, 0)}, q)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Outcome
}
