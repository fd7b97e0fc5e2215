package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// Deep graphs get an exact answer or a clear error, on every route.
func TestDeepGraph(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	const deep = 5000
	texts := []string{fmt.Sprintf("group:c%d#member@user:far", deep)}
	for i := range deep {
		texts = append(texts, fmt.Sprintf("group:c%d#member@group:c%d#member", i, i+1))
	}
	texts = append(texts, fmt.Sprintf("group:c%d#member@group:c0#member", deep)) // and it ends in a cycle
	w.touch(texts...)
	q := check("group:c0", "member", "user:far")
	if got, err := w.Check(ctx, q); err != nil || !got.Allowed {
		t.Errorf("check: %+v, %v", got, err)
	}
	q.Subject = "user:nobody"
	if got, err := w.Check(ctx, q); err != nil || got.Result != api.Denied {
		t.Errorf("check of nobody: %+v, %v", got, err)
	}
	q.Subject = "user:far"
	if got, err := w.Explain(ctx, q); err != nil || !got.Allowed || got.Explanation == nil {
		t.Errorf("explain: %+v, %v", got.Answer, err)
	}
	if _, err := w.Expand(ctx, api.ExpandRequest{Object: "group:c0", Permission: "member"}); !errors.Is(err, api.BudgetExceeded) {
		t.Errorf("expand: %v", err)
	}
	if got, err := w.Expand(ctx, api.ExpandRequest{Object: "group:c0", Permission: "member", Depth: 3}); err != nil || got.Tree == nil {
		t.Errorf("expand with a depth: %v", err)
	}
	n := 0
	for _, err := range w.Objects(ctx, api.LookupObjectsRequest{ObjectType: "group", Permission: "member", Subject: "user:far"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != deep+1 {
		t.Errorf("lookup of objects: %d, want %d", n, deep+1)
	}
	got, err := w.LookupSubjects(ctx, api.LookupSubjectsRequest{Object: "group:c0", Permission: "member", SubjectType: "user"})
	if err != nil || len(got.Subjects) != 1 || got.Subjects[0].Subject != "user:far" {
		t.Errorf("lookup of subjects: %+v, %v", got, err)
	}
}

// Hostile schemas are refused, or compiled, in bounded work.
func TestHostileSchemas(t *testing.T) {
	w := empty(t, server.Config{})
	var types strings.Builder
	types.WriteString("pemba 1\n")
	for i := range 10_000 {
		fmt.Fprintf(&types, "type t%d { relation r: [t%d#r] }\n", i, (i+1)%10_000)
	}
	for name, text := range map[string]string{
		"nested":         "pemba 1\ntype user\ntype a { relation r: [user] permission p = " + strings.Repeat("(", 1000) + "r" + strings.Repeat(")", 1000) + " }",
		"unclosed":       "pemba 1\ntype a " + strings.Repeat("{", 100_000),
		"not UTF-8":      "pemba 1\ntype \xff",
		"many types":     types.String(),
		"binary":         strings.Repeat("\x00", 10_000),
		"one long line":  "pemba 1 " + strings.Repeat("type a ", 20_000),
		"import of root": "pemba 1\nimport \"../../etc/passwd\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			got := w.send("PUT /v1/stores/acme/schema", text, "Content-Type: text/plain")
			if got.status != 200 && (got.problem == nil || got.status >= 500) {
				t.Errorf("got %d %.300s", got.status, got.body)
			}
			if len(got.body) > 4<<20 {
				t.Errorf("the answer has %d bytes", len(got.body))
			}
		})
	}
}

// A group with thousands of subgroups, a lattice with 10^10 ways through it, and
// cycles through an exclusion: the answers of all of them are known, and the
// budget that they get is far below the number of ways.
func TestHostileGraphs(t *testing.T) {
	w := empty(t, server.Config{EvaluationNodes: 50_000})
	if _, err := w.PutSchema(t.Context(), source(`pemba 1
type user
type group {
  relation member: [user | group#member]
}
type document {
  relation viewer: [group#member]
  relation banned: [group#member]
  permission view = viewer except banned
}
type knot {
  relation of:   [knot]
  relation held: [user]
  permission loose = held except tied
  permission tied  = of->loose
}
`)); err != nil {
		t.Fatal(err)
	}
	const layers, width, subgroups = 10, 10, 8000
	texts := []string{"document:big#viewer@group:big#member", "document:lattice#viewer@group:l0-0#member", "document:shut#viewer@group:l0-0#member",
		"document:shut#banned@group:l0-1#member", "group:s7999#member@user:ana", fmt.Sprintf("group:l%d-3#member@user:ana", layers),
		"knot:even1#of@knot:even2", "knot:even2#of@knot:even1", "knot:even1#held@user:ana", "knot:even2#held@user:ana",
		"knot:odd#of@knot:odd", "knot:odd#held@user:ana", "knot:end#of@knot:free", "knot:end#held@user:ana", "knot:free#held@user:ana"}
	for i := range subgroups {
		texts = append(texts, fmt.Sprintf("group:big#member@group:s%d#member", i))
	}
	for i := range layers {
		for j := range width * width {
			texts = append(texts, fmt.Sprintf("group:l%d-%d#member@group:l%d-%d#member", i, j/width, i+1, j%width))
		}
	}
	w.touch(texts...)
	for _, test := range []struct {
		object, permission, subject string
		want                        bool
	}{
		{"document:big", "view", "user:ana", true},
		{"document:big", "view", "user:nobody", false},
		{"document:lattice", "view", "user:ana", true},
		{"document:lattice", "view", "user:nobody", false},
		{"document:shut", "view", "user:ana", false},
		{"knot:even1", "loose", "user:ana", false}, // either could be, so neither is
		{"knot:even2", "loose", "user:ana", false},
		{"knot:odd", "loose", "user:ana", false}, // it depends on its own denial
		{"knot:free", "loose", "user:ana", true},
		{"knot:end", "loose", "user:ana", false},
	} {
		q := check(test.object, test.permission, test.subject)
		if got, err := w.Check(t.Context(), q); err != nil || got.Allowed != test.want {
			t.Errorf("check %s %s %s: got %+v, %v; want %v", test.subject, test.permission, test.object, got, err, test.want)
		}
		if got, err := w.Explain(t.Context(), q); err != nil || got.Allowed != test.want {
			t.Errorf("explain %s %s %s: got %+v, %v; want %v", test.subject, test.permission, test.object, got.Answer, err, test.want)
		}
	}
	n := 0
	for _, err := range w.Objects(t.Context(), api.LookupObjectsRequest{ObjectType: "group", Permission: "member", Subject: "user:ana"}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if want := layers*width + 1 + 2; n != want { // the lattice, its end, s7999 and big
		t.Errorf("ana is in %d groups, want %d", n, want)
	}
}

// While the schema changes under them, questions are answered under the one or the
// other: never with a mixture, and never with an error.
func TestSchemaChangesUnderQuestions(t *testing.T) {
	w := empty(t, server.Config{})
	ctx := t.Context()
	// The names stand in another order, so a mixture would take one for another.
	schemas := []string{"pemba 1\ntype user\ntype document {\n  relation a: [user]\n  relation b: [user]\n  permission p = a except b\n}\n",
		"pemba 1\ntype group\ntype user\ntype document {\n  permission p = b and a\n  relation b: [user]\n  relation a: [user]\n}\n"}
	if _, err := w.PutSchema(ctx, source(schemas[0])); err != nil {
		t.Fatal(err)
	}
	w.touch("document:x#a@user:both", "document:x#b@user:both", "document:x#a@user:one")
	asking, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for asking.Err() == nil {
				got, err := w.CheckBatch(ctx, api.BatchRequest{Checks: []api.Question{
					{Object: "document:x", Permission: "p", Subject: "user:both"}, {Object: "document:x", Permission: "p", Subject: "user:one"}}})
				if err != nil || got.Results[0].Answer == nil || got.Results[1].Answer == nil {
					t.Errorf("got %+v, %v", got, err)
					return
				}
				if got.Results[0].Answer.Allowed == got.Results[1].Answer.Allowed {
					t.Errorf("both and one are allowed alike: %v", got.Results[0].Answer.Allowed)
				}
			}
		})
	}
	for i := range 30 {
		if _, err := w.PutSchema(ctx, source(schemas[(i+1)%2])); err != nil {
			t.Error(err)
		}
	}
	stop()
	group.Wait()
}
