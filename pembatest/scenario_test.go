package pembatest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// TestScenarios asks a server, over HTTP, what the scenarios ask of the engine: a
// store per test, in memory and on disk by turns, its tuples written, every
// assertion a check. What must be refused is refused here too.
func TestScenarios(t *testing.T) {
	scenarios, err := scenario.Load(os.DirFS("../testdata/scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	server := pembatest.Start(t, pembatest.Clock(func() time.Time { return now }))
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			m, err := s.Check()
			if err != nil {
				t.Fatal(err)
			}
			if m == nil {
				refusesSchema(t, server, s)
				return
			}
			report, err := scenario.Run(t.Context(), m, scenario.Options{Now: now,
				Open: func(ctx context.Context, _ *schema.Module, tuples []tuple.Tuple) (scenario.World, error) {
					return open(ctx, server, s, tuples)
				}})
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() || report.Passed == 0 {
				var text strings.Builder
				if err := report.WriteText(&text); err != nil {
					t.Fatal(err)
				}
				t.Error(text.String())
			}
			refusesTuples(t, server, s)
		})
	}
}

// remote is a store of a server as a world of scenarios.
type remote struct {
	store *client.Store
	drop  func() error
}

var stores int

// open makes a store with the scenario's schema and these tuples.
func open(ctx context.Context, server *pembatest.Store, s *scenario.Scenario, tuples []tuple.Tuple) (*remote, error) {
	stores++
	name := fmt.Sprintf("scenario-%d", stores)
	index := []api.StoreIndex{api.IndexMemory, api.IndexDisk}[stores%2]
	if _, err := server.Client.PutStoreIndexed(ctx, name, index); err != nil {
		return nil, err
	}
	w := &remote{store: server.Client.Store(name), drop: func() error {
		_, err := server.Client.DeleteStore(context.WithoutCancel(ctx), name)
		return err
	}}
	if _, err := w.store.PutSchema(ctx, schemaOf(s)); err != nil {
		return nil, errors.Join(err, w.drop())
	}
	for len(tuples) > 0 {
		n := min(len(tuples), 100)
		if _, err := w.store.Create(ctx, api.FromTuples(tuples[:n])...); err != nil {
			return nil, errors.Join(err, w.drop())
		}
		tuples = tuples[n:]
	}
	return w, nil
}

func schemaOf(s *scenario.Scenario) api.PutSchemaRequest {
	request := api.PutSchemaRequest{}
	for _, f := range s.Files {
		request.Files = append(request.Files, api.SchemaFile{Name: f.Name, Text: f.Text})
	}
	return request
}

func (w *remote) Check(ctx context.Context, questions []engine.Question, at time.Time, given tuple.Context) ([]engine.Result, error) {
	request := api.BatchRequest{Moment: api.Moment{At: at}}
	var asked api.Context // nil without any
	if given != "" {
		asked = api.Context(given)
	}
	for _, q := range questions {
		request.Checks = append(request.Checks, api.Question{Object: q.Object.String(), Permission: q.Permission,
			Subject: q.Subject.String(), Brought: api.Brought{Context: asked}})
	}
	var results []engine.Result
	for len(request.Checks) > 0 {
		part := request
		part.Checks = part.Checks[:min(len(part.Checks), 50)]
		request.Checks = request.Checks[len(part.Checks):]
		response, err := w.store.CheckBatch(ctx, part)
		if err != nil {
			return nil, err
		}
		for _, r := range response.Results {
			results = append(results, result(r))
		}
	}
	return results, nil
}

func result(r api.BatchResult) engine.Result {
	switch {
	case r.Problem != nil:
		return engine.Result{Err: r.Problem}
	case r.Answer == nil:
		return engine.Result{Err: errors.New("neither an answer nor a problem")}
	case r.Answer.Allowed != (r.Answer.Result == api.Allowed):
		return engine.Result{Err: fmt.Errorf("allowed is %t and the result %s", r.Answer.Allowed, r.Answer.Result)}
	case r.Answer.Result == api.Allowed:
		return engine.Result{Answer: engine.Answer{Outcome: engine.Allowed}}
	case r.Answer.Result == api.Conditional:
		return engine.Result{Answer: engine.Answer{Outcome: engine.Conditional, Missing: r.Answer.Missing}}
	default:
		return engine.Result{}
	}
}

func (w *remote) Explain(context.Context, engine.Question, time.Time, tuple.Context) string {
	return ""
}

func (w *remote) Close() error { return w.drop() }

// refusesSchema holds the server to the errors that a scenario's schema has.
func refusesSchema(t *testing.T, server *pembatest.Store, s *scenario.Scenario) {
	_, err := server.PutSchema(t.Context(), schemaOf(s))
	var problem *api.Problem
	if !errors.As(err, &problem) {
		t.Fatalf("writing the schema: got %v, want a problem", err)
	}
	got := map[string]bool{}
	for _, f := range problem.Errors {
		got[fmt.Sprintf("%s:%d:%d %s", f.File, f.Line, f.Column, f.Code)] = true
	}
	for _, want := range s.Errors {
		if !got[want] {
			t.Errorf("the problem does not say %s; it says %v", want, problem.Errors)
		}
	}
	if len(got) != len(s.Errors) {
		t.Errorf("got %d errors, want %d: %v", len(got), len(s.Errors), problem.Errors)
	}
}

// refusesTuples holds the server to refusing what the scenario says, for its reason.
func refusesTuples(t *testing.T, server *pembatest.Store, s *scenario.Scenario) {
	if len(s.Refused) == 0 {
		return
	}
	var given []tuple.Tuple
	for _, line := range s.Tuples {
		given = append(given, line.Value)
	}
	w, err := open(t.Context(), server, s, given)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, line := range s.Refused {
		_, err := w.store.Create(t.Context(), api.FromTuple(line.Value.Tuple))
		var problem *api.Problem
		if !errors.As(err, &problem) || string(problem.Code) != string(line.Value.Code) {
			t.Errorf("%s: writing %s: got %v, want a problem with the code %s", line.Place, line.Value.Tuple, err, line.Value.Code)
		}
	}
}
