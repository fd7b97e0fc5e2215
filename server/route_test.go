package server_test

import (
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// seen notes which routes a client has asked.
type seen struct {
	mu     sync.Mutex // guards routes
	routes map[string]bool
}

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.routes[r.Method+" "+r.URL.Path] = true
	s.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

// Every route answers through the client, and with what it should say.
func TestEveryRoute(t *testing.T) {
	w := empty(t, server.Config{})
	asked := &seen{routes: map[string]bool{}}
	c, err := client.New(client.Config{Addresses: []string{w.url}, HTTPClient: &http.Client{Transport: asked}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, store := t.Context(), c.Store("acme").Session()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	same := func(got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}

	made, err := c.PutStore(ctx, "other")
	must(err)
	same(made.Created, true)
	made, err = c.PutStore(ctx, "other")
	must(err)
	same(made.Created, false)

	checked, err := store.ValidateSchema(ctx, source(model).SchemaSource)
	must(err)
	same(checked.Files, []api.SchemaFile(nil))
	put, err := store.PutSchema(ctx, source(model))
	must(err)
	same(put.Changed, true)
	again := source(model)
	again.IfMatch = put.ETag
	same2, err := store.PutSchema(ctx, again)
	must(err)
	same(same2.Changed, false)
	same(same2.ETag, put.ETag)

	written, err := store.Write(ctx, api.WriteRequest{Operations: creations(wire(t, given...)), IdempotencyKey: "k1",
		Preconditions: []api.Precondition{{Must: api.NotMatch, Filter: api.Filter{}}}})
	must(err)
	same(written.Written, len(given))
	replayed, err := store.Write(ctx, api.WriteRequest{Operations: creations(wire(t, given...)), IdempotencyKey: "k1",
		Preconditions: []api.Precondition{{Must: api.NotMatch, Filter: api.Filter{}}}})
	must(err)
	same(replayed.Replayed, true)

	for _, test := range []struct {
		object, permission, subject, context string
		want                                 api.Answer
	}{
		{"document:readme", "view", "user:ana", "", yes},
		{"document:readme", "edit", "user:ana", "", no},
		{"document:readme", "view", "group:eng#member", "", yes},
		{"document:plan", "view", "user:bob", "", no},
		{"document:plan", "view", "user:zoe", "", yes},
		{"group:everyone", "member", "user:root", "", yes},
		{"document:secret", "view", "user:ana", "", api.Answer{Result: api.Conditional, Missing: []string{"ip"}}},
		{"document:secret", "view", "user:ana", `{"ip":"10.1.2.3","other":1}`, yes},
		{"document:secret", "view", "user:ana", `{"ip":"192.0.2.1"}`, no},
	} {
		question := api.Question{Object: test.object, Permission: test.permission, Subject: test.subject}
		if test.context != "" {
			question.Context = api.Context(test.context)
		}
		got, err := store.Check(ctx, api.CheckRequest{Question: question})
		must(err)
		if !reflect.DeepEqual(got.Answer, test.want) || got.Token == "" || got.EvaluatedAt.IsZero() {
			t.Errorf("%+v: got %+v", test, got)
		}
	}

	objects, err := store.LookupObjects(ctx, api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana"})
	must(err)
	same(objects.Objects, []api.FoundObject{{Object: "document:lent", Result: api.Allowed}, {Object: "document:plan", Result: api.Allowed},
		{Object: "document:readme", Result: api.Allowed}, {Object: "document:secret", Result: api.Conditional, Missing: []string{"ip"}}})
	subjects, err := store.LookupSubjects(ctx, api.LookupSubjectsRequest{Object: "folder:public", Permission: "view", SubjectType: "user"})
	must(err)
	same(subjects.Subjects, []api.FoundSubject{{Subject: "user:*", Result: api.Allowed}, {Subject: "user:bob", Result: api.Excluded}})
	permissions, err := store.LookupPermissions(ctx, api.LookupPermissionsRequest{Object: "document:readme", Subject: "user:olga"})
	must(err)
	same(permissions.Permissions, []api.FoundPermission{{Permission: "owner", Relation: true, Result: api.Allowed}, {Permission: "edit", Result: api.Allowed}, {Permission: "view", Result: api.Allowed}})

	explained, err := store.Explain(ctx, api.CheckRequest{Question: api.Question{Object: "document:readme", Permission: "view", Subject: "user:ana"}})
	must(err)
	same(explained.Answer, yes)
	if explained.Explanation == nil || explained.Explanation.Result != api.Allowed {
		t.Errorf("explained by %+v", explained.Explanation)
	}
	expanded, err := store.Expand(ctx, api.ExpandRequest{Object: "document:readme", Permission: "view"})
	must(err)
	if text, _ := json.Marshal(expanded.Tree); !strings.Contains(string(text), "group:all#member") {
		t.Errorf("expanded to %s", text)
	}
	batch, err := store.CheckBatch(ctx, api.BatchRequest{Checks: []api.Question{{Object: "document:readme", Permission: "view", Subject: "user:ana"}}})
	must(err)
	same(batch.Results, []api.BatchResult{{Answer: &yes}})

	read, err := store.ReadTuples(ctx, api.ReadRequest{Filter: api.Filter{ObjectType: "group"}})
	must(err)
	same(read.Tuples, wire(t, "group:all#member@group:eng#member", "group:eng#member@user:ana"))
	removed, err := store.DeleteTuples(ctx, api.DeleteRequest{Filter: api.Filter{Object: "document:lent"}})
	must(err)
	same(removed.Deleted, 1)

	// A schema without the group type sets the tuples aside that name it.
	narrow := source("pemba 1\ntype user\ntype document { relation owner: [user] }\n")
	narrow.Orphans = api.IgnoreOrphans
	diff, err := store.DiffSchema(ctx, api.DiffSchemaRequest{SchemaSource: narrow.SchemaSource, Impact: true})
	must(err)
	same([]any{diff.Breaking, diff.OrphanCount, len(diff.Orphans)}, []any{true, len(given) - 2, len(given) - 2})
	same(slices.Contains(diff.Flips, api.Flip{Object: "document:readme", Permission: "view", Subject: "user:ana", Before: api.Allowed, After: api.Denied}), true)
	same(slices.ContainsFunc(diff.Changes, func(c api.SchemaChange) bool { return c.Code == "type_removed" && c.Name == "group" && c.Breaking }), true)
	put, err = store.PutSchema(ctx, narrow)
	must(err)
	same(put.Quarantined, len(given)-2)
	quarantined, err := store.ReadQuarantined(ctx, api.QuarantinedRequest{Filter: api.Filter{ObjectType: "group"}})
	must(err)
	same(len(quarantined.Tuples), 2)
	dropped, err := store.DeleteQuarantined(ctx, api.DeleteQuarantinedRequest{All: true})
	must(err)
	same(dropped.Deleted, len(given)-2)

	current, err := store.Schema(ctx, "")
	must(err)
	same(current.Files, narrow.Files)
	old, err := store.Schema(ctx, written.Token)
	must(err)
	same(old.Files, source(model).Files)
	versions, err := store.SchemaVersions(ctx)
	must(err)
	same(len(versions.Versions), 2)
	same([]string{versions.Versions[0].ETag, versions.Versions[1].ETag}, []string{current.ETag, old.ETag})
	if then, err := store.Schema(ctx, versions.Versions[1].Token); err != nil || then.ETag != old.ETag || then.WrittenAt.IsZero() {
		t.Errorf("the version's token leads to %+v, %v", then, err)
	}

	found, err := c.GetStore(ctx, "acme")
	must(err)
	same([]any{found.Tuples, found.Schema, found.SchemaETag}, []any{int64(1), true, current.ETag})
	stores, err := c.Stores(ctx)
	must(err)
	same(len(stores.Stores), 2)
	_, err = c.DeleteStore(ctx, "other")
	must(err)
	if _, err := c.GetStore(ctx, "other"); err == nil {
		t.Error("a deleted store is there")
	}
	limits, err := c.Limits(ctx)
	must(err)
	same(limits.BatchChecks > 0 && limits.EvaluationNodes > 0 && limits.BodyBytes > 0, true)
	cluster, err := c.Cluster(ctx)
	must(err)
	same([]any{cluster.Ready, cluster.Role, len(cluster.Members)}, []any{true, "leader", 1})
	if _, err := c.RemoveMember(ctx, "nobody"); err == nil {
		t.Error("a member that is not there was removed")
	}
	must(c.Ready(ctx))
	if got := w.send("GET /healthz", ""); got.status != 200 {
		t.Errorf("healthz: %d %s", got.status, got.body)
	}
	asked.routes["GET /healthz"], asked.routes["GET /openapi.json"] = true, true

	document := w.send("GET /openapi.json", "")
	var d struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	must(json.Unmarshal([]byte(document.body), &d))
	for path, methods := range d.Paths {
		pattern := regexp.MustCompile("^" + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, `[^/]+`) + "$")
		for method := range methods {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(asked.routes)), func(route string) bool {
				verb, p, _ := strings.Cut(route, " ")
				return strings.EqualFold(verb, method) && pattern.MatchString(p)
			}) {
				t.Errorf("%s %s was not tried", method, path)
			}
		}
	}
}

var (
	yes = api.Answer{Allowed: true, Result: api.Allowed, Missing: []string{}}
	no  = api.Answer{Result: api.Denied, Missing: []string{}}
)

func creations(tuples []api.Tuple) []api.Operation {
	operations := make([]api.Operation, len(tuples))
	for i, t := range tuples {
		operations[i] = api.Operation{Op: api.Create, Tuple: t}
	}
	return operations
}
