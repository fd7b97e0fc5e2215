package server_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// journey is a client's way over every route.
type journey struct {
	t      *testing.T
	ctx    context.Context
	client *client.Client
	store  *client.Store
	full   api.WriteResponse // the write of all given tuples
	narrow api.PutSchemaRequest
}

func (j *journey) must(err error) {
	j.t.Helper()
	if err != nil {
		j.t.Fatal(err)
	}
}

func (j *journey) same(got, want any) {
	j.t.Helper()
	if !reflect.DeepEqual(got, want) {
		j.t.Errorf("got %+v, want %+v", got, want)
	}
}

// Every route answers through the client, and with what it should say.
func TestEveryRoute(t *testing.T) {
	w := empty(t, server.Config{})
	asked := &seen{routes: map[string]bool{}}
	c, err := client.New(client.Config{Addresses: []string{w.url}, HTTPClient: &http.Client{Transport: asked}})
	if err != nil {
		t.Fatal(err)
	}
	j := &journey{t: t, ctx: t.Context(), client: c, store: c.Store("acme").Session(),
		// a schema without the group type orphans the tuples that name it
		narrow: source("pemba 1\ntype user\ntype document { relation owner: [user] }\n")}
	j.makeStores()
	j.writeSchema()
	j.writeTuples()
	j.check()
	j.lookUp()
	j.explain()
	j.readAndDelete()
	j.narrowSchema()
	j.history()
	j.watch()
	j.backup()
	j.leave()
	for _, route := range []string{"GET /healthz", "GET /openapi.json"} { // the client has no method for these
		if got := w.send(route, ""); got.status != 200 {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
		asked.routes[route] = true
	}
	var d struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	j.must(json.Unmarshal([]byte(w.send("GET /openapi.json", "").body), &d))
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

func (j *journey) makeStores() {
	made, err := j.client.PutStore(j.ctx, "other")
	j.must(err)
	j.same(made.Created, true)
	made, err = j.client.PutStore(j.ctx, "other")
	j.must(err)
	j.same(made.Created, false)
}

func (j *journey) writeSchema() {
	checked, err := j.store.ValidateSchema(j.ctx, source(model).SchemaSource)
	j.must(err)
	j.same(checked.Files, []api.SchemaFile(nil))
	put, err := j.store.PutSchema(j.ctx, source(model))
	j.must(err)
	j.same(put.Changed, true)
	again := source(model)
	again.IfMatch = put.ETag
	same2, err := j.store.PutSchema(j.ctx, again)
	j.must(err)
	j.same(same2.Changed, false)
	j.same(same2.ETag, put.ETag)
}

func (j *journey) writeTuples() {
	written, err := j.store.Write(j.ctx, api.WriteRequest{Operations: creations(wire(j.t, given...)), IdempotencyKey: "k1",
		Preconditions: []api.Precondition{{Must: api.NotMatch, Filter: api.Filter{}}}})
	j.must(err)
	j.same(written.Written, len(given))
	replayed, err := j.store.Write(j.ctx, api.WriteRequest{Operations: creations(wire(j.t, given...)), IdempotencyKey: "k1",
		Preconditions: []api.Precondition{{Must: api.NotMatch, Filter: api.Filter{}}}})
	j.must(err)
	j.same(replayed.Replayed, true)
	j.full = written
}

func (j *journey) check() {
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
		got, err := j.store.Check(j.ctx, api.CheckRequest{Question: question})
		j.must(err)
		if !reflect.DeepEqual(got.Answer, test.want) || got.Token == "" || got.EvaluatedAt.IsZero() {
			j.t.Errorf("%+v: got %+v", test, got)
		}
	}
}

func (j *journey) lookUp() {
	objects, err := j.store.LookupObjects(j.ctx, api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana"})
	j.must(err)
	j.same(objects.Objects, []api.FoundObject{{Object: "document:lent", Result: api.Allowed}, {Object: "document:plan", Result: api.Allowed},
		{Object: "document:readme", Result: api.Allowed}, {Object: "document:secret", Result: api.Conditional, Missing: []string{"ip"}}})
	subjects, err := j.store.LookupSubjects(j.ctx, api.LookupSubjectsRequest{Object: "folder:public", Permission: "view", SubjectType: "user"})
	j.must(err)
	j.same(subjects.Subjects, []api.FoundSubject{{Subject: "user:*", Result: api.Allowed}, {Subject: "user:bob", Result: api.Excluded}})
	permissions, err := j.store.LookupPermissions(j.ctx, api.LookupPermissionsRequest{Object: "document:readme", Subject: "user:olga"})
	j.must(err)
	j.same(permissions.Permissions, []api.FoundPermission{{Permission: "owner", Relation: true, Result: api.Allowed}, {Permission: "edit", Result: api.Allowed}, {Permission: "view", Result: api.Allowed}})
}

func (j *journey) explain() {
	explained, err := j.store.Explain(j.ctx, api.CheckRequest{Question: api.Question{Object: "document:readme", Permission: "view", Subject: "user:ana"}})
	j.must(err)
	j.same(explained.Answer, yes)
	if explained.Explanation == nil || explained.Explanation.Result != api.Allowed {
		j.t.Errorf("explained by %+v", explained.Explanation)
	}
	expanded, err := j.store.Expand(j.ctx, api.ExpandRequest{Object: "document:readme", Permission: "view"})
	j.must(err)
	if text, _ := json.Marshal(expanded.Tree); !strings.Contains(string(text), "group:all#member") {
		j.t.Errorf("expanded to %s", text)
	}
	batch, err := j.store.CheckBatch(j.ctx, api.BatchRequest{Checks: []api.Question{{Object: "document:readme", Permission: "view", Subject: "user:ana"}}})
	j.must(err)
	j.same(batch.Results, []api.BatchResult{{Answer: &yes}})
}

func (j *journey) readAndDelete() {
	read, err := j.store.ReadTuples(j.ctx, api.ReadRequest{Filter: api.Filter{ObjectType: "group"}})
	j.must(err)
	j.same(read.Tuples, wire(j.t, "group:all#member@group:eng#member", "group:eng#member@user:ana"))
	removed, err := j.store.DeleteTuples(j.ctx, api.DeleteRequest{Filter: api.Filter{Object: "document:lent"}})
	j.must(err)
	j.same(removed.Deleted, 1)
}

func (j *journey) narrowSchema() {
	j.narrow.Orphans = api.IgnoreOrphans
	diff, err := j.store.DiffSchema(j.ctx, api.DiffSchemaRequest{SchemaSource: j.narrow.SchemaSource, Impact: true})
	j.must(err)
	j.same([]any{diff.Breaking, diff.OrphanCount, len(diff.Orphans)}, []any{true, len(given) - 2, len(given) - 2})
	j.same(slices.Contains(diff.Flips, api.Flip{Object: "document:readme", Permission: "view", Subject: "user:ana", Before: api.Allowed, After: api.Denied}), true)
	j.same(slices.ContainsFunc(diff.Changes, func(c api.SchemaChange) bool { return c.Code == "type_removed" && c.Name == "group" && c.Breaking }), true)
	put, err := j.store.PutSchema(j.ctx, j.narrow)
	j.must(err)
	j.same(put.Quarantined, len(given)-2)
	quarantined, err := j.store.ReadQuarantined(j.ctx, api.QuarantinedRequest{Filter: api.Filter{ObjectType: "group"}})
	j.must(err)
	j.same(len(quarantined.Tuples), 2)
	dropped, err := j.store.DeleteQuarantined(j.ctx, api.DeleteQuarantinedRequest{All: true})
	j.must(err)
	j.same(dropped.Deleted, len(given)-2)
}

func (j *journey) history() {
	current, err := j.store.Schema(j.ctx, "")
	j.must(err)
	j.same(current.Files, j.narrow.Files)
	old, err := j.store.Schema(j.ctx, j.full.Token)
	j.must(err)
	j.same(old.Files, source(model).Files)
	versions, err := j.store.SchemaVersions(j.ctx)
	j.must(err)
	j.same(len(versions.Versions), 2)
	j.same([]string{versions.Versions[0].ETag, versions.Versions[1].ETag}, []string{current.ETag, old.ETag})
	if then, err := j.store.Schema(j.ctx, versions.Versions[1].Token); err != nil || then.ETag != old.ETag || then.WrittenAt.IsZero() {
		j.t.Errorf("the version's token leads to %+v, %v", then, err)
	}
}

func (j *journey) watch() {
	for event, err := range j.store.Watch(j.ctx, api.WatchRequest{Token: j.full.Token}) {
		j.must(err)
		if len(event.Changes) > 0 {
			j.same(event.Changes, []api.TupleChange{{Op: api.Deleted, Tuple: wire(j.t, "document:lent#viewer@user:ana until 2200-01-01T00:00:00Z")[0]}})
			break
		}
	}
}

func (j *journey) backup() {
	var file bytes.Buffer
	j.must(j.client.Backup(j.ctx, api.BackupRequest{}, &file))
	j.same(strings.HasPrefix(file.String(), "pemba backup\n"), true)
}

func (j *journey) leave() {
	current, err := j.store.Schema(j.ctx, "")
	j.must(err)
	found, err := j.client.GetStore(j.ctx, "acme")
	j.must(err)
	j.same([]any{found.Tuples, found.Schema, found.SchemaETag}, []any{int64(1), true, current.ETag})
	stores, err := j.client.Stores(j.ctx)
	j.must(err)
	j.same(len(stores.Stores), 2)
	_, err = j.client.DeleteStore(j.ctx, "other")
	j.must(err)
	if _, err := j.client.GetStore(j.ctx, "other"); err == nil {
		j.t.Error("a deleted store is there")
	}
	limits, err := j.client.Limits(j.ctx)
	j.must(err)
	j.same(limits.BatchChecks > 0 && limits.EvaluationNodes > 0 && limits.BodyBytes > 0, true)
	cluster, err := j.client.Cluster(j.ctx)
	j.must(err)
	j.same([]any{cluster.Ready, cluster.Role, len(cluster.Members)}, []any{true, "leader", 1})
	verified, err := j.client.VerifyCluster(j.ctx)
	j.must(err)
	j.same([]any{verified.Equal, len(verified.Findings), len(verified.Members), verified.Members[0].Stores[0].Name}, []any{true, 0, 1, "acme"})
	made, err := j.client.NewJoinToken(j.ctx, api.JoinTokenRequest{Seconds: 60, Replica: true})
	j.must(err)
	j.same(strings.HasPrefix(made.JoinToken, "pemba-join-") && time.Until(made.ExpiresAt) < 2*time.Minute, true)
	for _, seconds := range []int64{-1, 8 * 24 * 3600, math.MaxInt64} {
		if _, err := j.client.NewJoinToken(j.ctx, api.JoinTokenRequest{Seconds: seconds}); !errors.Is(err, api.InvalidValue) {
			j.t.Errorf("a join token of %d s: %v", seconds, err)
		}
	}
	raised, err := j.client.RaiseFeature(j.ctx, 0)
	j.must(err)
	j.same(raised.Level, cluster.Feature)
	for what, ask := range map[api.Code]func() (api.Cluster, error){
		api.UnknownNode:    func() (api.Cluster, error) { return j.client.PromoteMember(j.ctx, "nobody") },
		api.TransferFailed: func() (api.Cluster, error) { return j.client.TransferLeadership(j.ctx) },
	} {
		if _, err := ask(); !errors.Is(err, what) {
			j.t.Errorf("got %v, want %s", err, what)
		}
	}
	for _, ask := range []func() (api.Cluster, error){
		func() (api.Cluster, error) { return j.client.DemoteMember(j.ctx, cluster.NodeID) },
		func() (api.Cluster, error) { return j.client.LeaveCluster(j.ctx) },
	} {
		if _, err := ask(); !errors.Is(err, api.LastMember) {
			j.t.Errorf("the only member: %v", err)
		}
	}
	if _, err := j.client.RemoveMember(j.ctx, "nobody"); err == nil {
		j.t.Error("a member that is not there was removed")
	}
	j.must(j.client.Ready(j.ctx))
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

// A comparison names the saved tests that a schema would fail, and writes nothing.
func TestDiffRunsSavedTests(t *testing.T) {
	ctx := t.Context()
	store := empty(t, server.Config{}).Store
	base := "pemba 1\ntype user\ntype document {\n  relation owner: [user]\n  permission view = owner\n}\n"
	saved := base + "test \"owners view\" {\n  given document:a#owner@user:ada\n  allow user:ada to view on document:a\n}\n"
	before, err := store.PutSchema(ctx, source(saved))
	if err != nil {
		t.Fatal(err)
	}
	narrower := strings.Replace(base, "= owner", "= nobody", 1)
	diff, err := store.DiffSchema(ctx, api.DiffSchemaRequest{SchemaSource: source(narrower).SchemaSource})
	if err != nil {
		t.Fatal(err)
	}
	if len(diff.Tests) != 1 || diff.Tests[0].Test != "owners view" || diff.Tests[0].Place != "main.pemba:7:1" ||
		!strings.Contains(diff.Tests[0].Why, "want allowed, got denied") {
		t.Errorf("got %+v, want the saved test that would fail", diff.Tests)
	}
	if diff, err = store.DiffSchema(ctx, api.DiffSchemaRequest{SchemaSource: source(base).SchemaSource}); err != nil || len(diff.Tests) != 0 {
		t.Errorf("got %+v, %v: the same rules fail no test", diff.Tests, err)
	}
	after, err := store.Schema(ctx, "")
	if err != nil || after.ETag != before.ETag {
		t.Errorf("the schema is %s, %v; want %s still", after.ETag, err, before.ETag)
	}
}
