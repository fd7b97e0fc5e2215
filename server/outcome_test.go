package server_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

func check(object, permission, subject string) api.CheckRequest {
	return api.CheckRequest{Question: api.Question{Object: object, Permission: permission, Subject: subject}}
}

// A spent budget and a passed deadline are errors, also under exclusion, where a
// false denied would allow.
func TestNoAnswerIsNoDenied(t *testing.T) {
	questions := []api.CheckRequest{check("document:readme", "view", "user:ana"), check("document:readme", "view", "user:nobody"),
		check("folder:public", "view", "user:bob"), check("folder:public", "view", "user:zoe")}
	t.Run("budget", func(t *testing.T) {
		w := start(t, server.Config{EvaluationNodes: 1})
		got := w.send("POST /v1/stores/acme/check", `{"object":"document:plan","permission":"view","subject":"user:nobody",
			"contextual_tuples":[{"object":"document:plan","relation":"folder","subject":"folder:annex"}]}`) // two folders to ask
		if got.problem == nil || got.problem.Code != api.BudgetExceeded || got.status != 503 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		w := start(t, server.Config{})
		hasty := beside(t, w, server.Config{RequestTimeout: time.Nanosecond})
		for _, q := range questions {
			got, err := hasty.Check(t.Context(), q)
			if !errors.Is(err, api.DeadlineExceeded) || got.Allowed || got.Result != "" {
				t.Errorf("%+v: got %+v, %v", q, got, err)
			}
			batch, err := hasty.CheckBatch(t.Context(), api.BatchRequest{Checks: []api.Question{q.Question}})
			if !errors.Is(err, api.DeadlineExceeded) {
				t.Errorf("batch: got %+v, %v", batch, err)
			}
		}
	})
}

func beside(t *testing.T, w *world, config server.Config) *world {
	t.Helper()
	second := *w
	slow := serve(t, w.node, config)
	second.url, second.client = slow, dial(t, slow)
	second.Store = second.client.Store("acme")
	return &second
}

func TestBatch(t *testing.T) {
	w := start(t, server.Config{})
	office, home := api.Context(`{"ip":"10.0.0.1"}`), api.Context(`{"ip":"192.0.2.1"}`)
	secret := api.Question{Object: "document:secret", Permission: "view", Subject: "user:ana"}
	with := func(c api.Context, tuples ...string) api.Question {
		q := secret
		q.Context, q.ContextualTuples = c, wire(t, tuples...)
		if len(tuples) == 0 {
			q.ContextualTuples = nil
		}
		return q
	}
	got, err := w.CheckBatch(t.Context(), api.BatchRequest{Checks: []api.Question{
		with(office), with(home), with(nil), with(home, "document:secret#viewer@user:ana"), with(home),
		{Object: "document:secret", Permission: "veiw", Subject: "user:ana"},
		{Object: "secret", Permission: "view", Subject: "user:ana"},
		with(api.Context(`{"ip":1}`)), with(nil, "document:secret#view@user:ana"), with(office),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"allowed", "denied", "conditional", "allowed", "denied", "unknown_relation /checks/5/permission", "invalid_value /checks/6/object",
		"condition_failed", "not_a_relation /checks/8/contextual_tuples/0/relation", "allowed"}
	var said []string
	for _, r := range got.Results {
		switch {
		case r.Answer != nil && r.Problem != nil:
			said = append(said, "both")
		case r.Answer != nil:
			said = append(said, string(r.Answer.Result))
		case len(r.Problem.Errors) > 0:
			said = append(said, string(r.Problem.Code)+" "+r.Problem.Errors[0].Pointer)
		default:
			said = append(said, string(r.Problem.Code))
		}
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("got  %q\nwant %q", said, want)
	}
	many := api.BatchRequest{Checks: make([]api.Question, 10_001)}
	for i := range many.Checks {
		many.Checks[i] = secret
	}
	if _, err := w.CheckBatch(t.Context(), many); !errors.Is(err, api.TooMany) {
		t.Errorf("10,001 questions: %v", err)
	}
}

// A batch of thousands answers each question in its place as a check would,
// whatever its neighbours are and however many batches run at once.
func TestLargeBatch(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	kinds := []api.Question{
		check("document:readme", "view", "user:ana").Question,
		check("document:readme", "view", "user:bob").Question,
		check("document:plan", "view", "user:bob").Question,
		check("document:plan", "view", "user:eve").Question,
		check("document:secret", "view", "user:ana").Question,
		check("document:readme", "veiw", "user:ana").Question,
		check("document", "view", "user:ana").Question,
		check("document:none", "view", "user:nobody").Question,
	}
	with := kinds[4]
	with.Context = api.Context(`{"ip":"10.1.1.1"}`)
	kinds = append(kinds, with)
	want := make([]string, len(kinds))
	word := func(a *api.Answer, p *api.Problem) string {
		if p != nil {
			return string(p.Code)
		}
		return fmt.Sprint(a.Result, a.Allowed, a.Missing)
	}
	for i, q := range kinds {
		answer, err := w.Check(ctx, api.CheckRequest{Question: q})
		if want[i] = word(&answer.Answer, api.AsProblem(err)); err != nil && api.AsProblem(err) == nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			order := rand.New(rand.NewPCG(uint64(g), 1))
			for range 10 {
				var request api.BatchRequest
				var picked []int
				for range 1 + order.IntN(3000) {
					k := order.IntN(len(kinds))
					picked, request.Checks = append(picked, k), append(request.Checks, kinds[k])
				}
				got, err := w.CheckBatch(ctx, request)
				if err != nil || len(got.Results) != len(picked) {
					t.Errorf("%d results of %d, %v", len(got.Results), len(picked), err)
					return
				}
				for i, r := range got.Results {
					if said := word(r.Answer, r.Problem); said != want[picked[i]] {
						t.Errorf("question %d: got %s, want %s", i, said, want[picked[i]])
						return
					}
					if r.Problem != nil && len(r.Problem.Errors) > 0 && !strings.HasPrefix(r.Problem.Errors[0].Pointer, fmt.Sprintf("/checks/%d/", i)) {
						t.Errorf("question %d has its fault at %s", i, r.Problem.Errors[0].Pointer)
					}
				}
			}
		})
	}
	group.Wait()
}

func TestConsistency(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	q := check("document:x", "view", "user:ana")
	before := w.touch("group:eng#member@user:x").Token
	granted := w.touch("document:x#viewer@user:ana").Token
	if _, err := w.Delete(ctx, wire(t, "document:x#viewer@user:ana")...); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		mode *api.Consistency
		want bool
	}{
		{"minimize_latency", api.MinimizeLatency(), false},
		{"at_least_as_fresh", api.AtLeastAsFresh(granted), false},
		{"fully_consistent", api.FullyConsistent(), false},
		{"at_exact_snapshot", api.AtExactSnapshot(granted), true},
		{"at_exact_snapshot before", api.AtExactSnapshot(before), false},
	} {
		q.Consistency = test.mode
		got, err := w.Check(ctx, q)
		if err != nil || got.Allowed != test.want {
			t.Errorf("%s: got %+v, %v; want %v", test.name, got, err, test.want)
			continue
		}
		// The answer's own token leads back to the same answer.
		q.Consistency = api.AtExactSnapshot(got.Token)
		if again, err := w.Check(ctx, q); err != nil || again.Allowed != got.Allowed {
			t.Errorf("%s: again %+v, %v", test.name, again, err)
		}
	}
}

func TestIdempotency(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	request := api.WriteRequest{Operations: creations(wire(t, "group:g#member@user:a")), IdempotencyKey: "once"}
	first, err := w.Write(ctx, request)
	if err != nil || first.Written != 1 || first.Replayed {
		t.Fatal(first, err)
	}
	second, err := w.Write(ctx, request)
	if err != nil || second.Written != 1 || !second.Replayed {
		t.Errorf("the same again: %+v, %v", second, err)
	}
	request.Operations = creations(wire(t, "group:g#member@user:b"))
	if got, err := w.Write(ctx, request); !errors.Is(err, api.IdempotencyMismatch) {
		t.Errorf("another body: %+v, %v", got, err)
	}
}

func TestDialects(t *testing.T) {
	w := empty(t, server.Config{})
	ctx := t.Context()
	for dialect, text := range map[api.Dialect]string{
		api.OpenFGA: "model\n  schema 1.1\ntype user\ntype document\n  relations\n    define owner: [user]\n    define view: owner\n",
		api.SpiceDB: "definition user {}\ndefinition document {\n  relation owner: user\n  permission view = owner\n}\n",
	} {
		put, err := w.PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{Dialect: dialect, Files: []api.SchemaFile{{Name: "model", Text: text}}}, Orphans: api.DeleteOrphans})
		if err != nil || len(put.Files) == 0 || !strings.Contains(put.Files[0].Text, "permission view = owner") {
			t.Fatalf("%s: %+v, %v", dialect, put, err)
		}
		w.touch("document:a#owner@user:ana")
		if ok, err := w.Allowed(ctx, "document:a", "view", "user:ana"); err != nil || !ok {
			t.Errorf("%s: %v, %v", dialect, ok, err)
		}
		got, err := w.Schema(ctx, "")
		if err != nil || got.Dialect != dialect || len(got.Original) != 1 || got.Original[0].Text != text {
			t.Errorf("%s: kept %+v, %v", dialect, got, err)
		}
	}
}

// A schema of another dialect may come as plain text.
func TestSchemaAsText(t *testing.T) {
	w := empty(t, server.Config{})
	const text = "definition user {}\ndefinition document { relation owner: user }"
	for _, route := range []string{"POST /v1/stores/acme/schema/validate", "POST /v1/stores/acme/schema/diff", "PUT /v1/stores/acme/schema"} {
		got := w.send(route+"?dialect=spicedb&orphans=delete", text, "Content-Type: text/plain; charset=utf-8")
		if got.status != 200 {
			t.Errorf("%s: %d %s", route, got.status, got.body)
		}
	}
	if got := w.send("PUT /v1/stores/acme/schema?orphans=keep", "pemba 1", "Content-Type: text/plain"); got.problem == nil || got.problem.Code != api.InvalidValue {
		t.Errorf("unknown orphans: %d %s", got.status, got.body)
	}
	if got := w.send("GET /v1/stores/acme/schema", ""); !strings.Contains(got.body, `"dialect":"spicedb"`) || got.header.Get("ETag") == "" {
		t.Errorf("got %s", got.body)
	}
}

// Many clients at once: nothing races, and what was acknowledged is seen.
func TestManyAtOnce(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			mine := w.Session()
			for j := range 20 {
				doc, user := fmt.Sprintf("document:c%d-%d", i, j), fmt.Sprintf("user:u%d", i)
				if _, err := mine.Touch(ctx, api.Tuple{Object: doc, Relation: "viewer", Subject: user}); err != nil {
					t.Error(err)
					return
				}
				if ok, err := mine.Allowed(ctx, doc, "view", user); err != nil || !ok {
					t.Errorf("%s %s after its grant: %v, %v", doc, user, ok, err)
				}
				n := 0
				for _, err := range mine.Objects(ctx, api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: user}) {
					if err != nil {
						t.Error(err)
					}
					n++
				}
				if n != j+2 { // and document:plan, which everybody may view
					t.Errorf("%s sees %d documents, want %d", user, n, j+2)
				}
			}
		})
	}
	group.Wait()
}
