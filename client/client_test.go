package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
)

// scripted answers one request after the other from a list and keeps what was asked.
type scripted struct {
	mu       sync.Mutex // guards all below
	answers  []http.HandlerFunc
	requests []asked
}

// asked returns the requests so far.
func (s *scripted) asked() []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

type asked struct {
	path, key, body string
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, asked{r.Method + " " + r.URL.Path, r.Header.Get(api.IdempotencyKey), string(body)})
	answer := s.answers[min(len(s.requests), len(s.answers))-1]
	s.mu.Unlock()
	answer(w, r)
}

func says(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", api.JSON)
		io.WriteString(w, body)
	}
}

func refuses(code api.Code) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		problem := api.NewProblem(code, "for the test")
		text, _ := json.Marshal(problem)
		w.Header().Set("Content-Type", api.ProblemJSON)
		w.WriteHeader(problem.Status)
		w.Write(text)
	}
}

func breaks(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }

const allowed = `{"allowed":true,"result":"allowed","missing":[],"token":"t1","evaluated_at":"2026-01-01T00:00:00Z","later":"a member that this client does not know"}`

func start(t *testing.T, answers ...http.HandlerFunc) (*scripted, *client.Store) {
	t.Helper()
	s := &scripted{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, connect(t, server.URL).Store("acme")
}

func connect(t *testing.T, addresses ...string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addresses: addresses, Backoff: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var question = api.CheckRequest{Question: api.Question{Object: "document:readme", Permission: "view", Subject: "user:ana"}}

func TestConfigIsChecked(t *testing.T) {
	for _, addresses := range [][]string{nil, {""}, {"127.0.0.1:8420"}, {"ftp://host"}, {"http://"}, {"http://host?x=1"}, {"http://good", "::"}} {
		if _, err := client.New(client.Config{Addresses: addresses}); err == nil {
			t.Errorf("addresses %q are taken", addresses)
		}
	}
}

func TestCheck(t *testing.T) {
	s, store := start(t, says(allowed))
	got, err := store.Check(t.Context(), question)
	if err != nil || !got.Allowed || got.Result != api.Allowed || got.Token != "t1" {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := asked{"POST /v1/stores/acme/check", "", `{"object":"document:readme","permission":"view","subject":"user:ana"}`}
	if s.asked()[0] != want {
		t.Errorf("asked %+v, want %+v", s.asked()[0], want)
	}
}

func TestStoreNamesAreEscaped(t *testing.T) {
	paths := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.URL.EscapedPath()
		says(allowed)(w, r)
	}))
	defer server.Close()
	if _, err := connect(t, server.URL).Store("a/../b?c").Check(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if want := "/v1/stores/a%2F..%2Fb%3Fc/check"; want != <-paths {
		t.Errorf("the path is not %s", want)
	}
}

func TestErrorIsNeverAllowed(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"problem":    refuses(api.UnknownStore),
		"half":       says(`{"allowed":true,"result":"allowed"`),
		"wrong type": says(`{"allowed":true,"result":5}`),
		"proxy": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, `{"allowed":true}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, store := start(t, answer)
			got, err := store.Check(t.Context(), question)
			if err == nil || got.Allowed || got.Result == api.Allowed {
				t.Errorf("got %+v, %v; want an error and nothing allowed", got, err)
			}
			if ok, err := store.Allowed(t.Context(), "a:b", "view", "user:ana"); ok || err == nil {
				t.Errorf("got %v, %v; want an error and nothing allowed", ok, err)
			}
		})
	}
}

func TestProblemCrossesTheWire(t *testing.T) {
	_, store := start(t, refuses(api.UnknownStore))
	_, err := store.Check(t.Context(), question)
	if !errors.Is(err, api.UnknownStore) || errors.Is(err, api.NoSchema) {
		t.Errorf("got %v, want unknown_store", err)
	}
}

func TestRepeats(t *testing.T) {
	tests := []struct {
		name    string
		answers []http.HandlerFunc
		calls   int
		want    api.Code // "": it succeeds
	}{
		{"a broken connection", []http.HandlerFunc{breaks, breaks, says(allowed)}, 3, ""},
		{"not ready", []http.HandlerFunc{refuses(api.NotReady), says(allowed)}, 2, ""},
		{"a proxy's 502", []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(502) }, says(allowed)}, 2, ""},
		{"for ever not ready", []http.HandlerFunc{refuses(api.NotReady)}, 5, api.NotReady},
		{"a fault of the request", []http.HandlerFunc{refuses(api.UnknownType)}, 1, api.UnknownType},
		{"a spent budget", []http.HandlerFunc{refuses(api.BudgetExceeded)}, 1, api.BudgetExceeded},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, store := start(t, test.answers...)
			_, err := store.Check(t.Context(), question)
			if test.want == "" && err != nil || test.want != "" && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if len(s.asked()) != test.calls {
				t.Errorf("asked %d times, want %d", len(s.asked()), test.calls)
			}
		})
	}
}

func TestWritesRepeatUnderOneKey(t *testing.T) {
	s, store := start(t, breaks, refuses(api.OutcomeUnknown), says(`{"token":"t2","written":1,"deleted":0}`))
	got, err := store.Touch(t.Context(), api.Tuple{Object: "document:readme", Relation: "viewer", Subject: "user:ana"})
	if err != nil || got.Token != "t2" {
		t.Fatalf("got %+v, %v", got, err)
	}
	if len(s.asked()) != 3 || s.asked()[0].key == "" || s.asked()[0] != s.asked()[1] || s.asked()[1] != s.asked()[2] {
		t.Errorf("asked %+v, want the same three times", s.asked())
	}
	if _, err := store.Touch(t.Context(), api.Tuple{}); err != nil || s.asked()[3].key == s.asked()[0].key {
		t.Errorf("two writes have one key (%v)", err)
	}
}

func TestDeleteStoreIsNotRepeatedBlindly(t *testing.T) {
	s := &scripted{answers: []http.HandlerFunc{breaks}}
	server := httptest.NewServer(s)
	defer server.Close()
	if _, err := connect(t, server.URL).DeleteStore(t.Context(), "acme"); err == nil {
		t.Error("a broken connection is no error")
	}
	if len(s.asked()) != 1 {
		t.Errorf("asked %d times, want once", len(s.asked()))
	}
}

func TestNextAddress(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	s := &scripted{answers: []http.HandlerFunc{says(allowed)}}
	up := httptest.NewServer(s)
	defer up.Close()
	store := connect(t, down.URL, up.URL).Store("acme")
	for range 3 {
		if _, err := store.Check(t.Context(), question); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.asked()) != 3 {
		t.Errorf("the second address was asked %d times, want 3", len(s.asked()))
	}
}

func TestContextEnds(t *testing.T) {
	_, store := start(t, refuses(api.NotReady))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user left")
	cancel(why)
	if _, err := store.Check(ctx, question); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
