package server_test

import (
	"errors"
	"fmt"
	"strings"
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
