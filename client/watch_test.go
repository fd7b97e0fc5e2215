package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// rehearsal is a server that gives each request its own answer, and notes from which
// token each came.
type rehearsal struct {
	mu      sync.Mutex // guards what follows
	answers []func(w http.ResponseWriter)
	tokens  []string
}

func (s *rehearsal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.tokens = append(s.tokens, r.URL.Query().Get("token"))
	answer := cut
	if len(s.answers) > 0 {
		answer, s.answers = s.answers[0], s.answers[1:]
	}
	s.mu.Unlock()
	answer(w)
}

func lines(texts ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for _, text := range texts {
			fmt.Fprintln(w, text)
		}
		http.NewResponseController(w).Flush()
	}
}

func cut(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func beat(token string, millis int) string {
	return fmt.Sprintf(`{"heartbeat":{"token":%q,"next_millis":%d}}`, token, millis)
}

func changed(token, object string, more bool) string {
	if more {
		return fmt.Sprintf(`{"change":{"time":"2030-01-01T00:00:00Z","changes":[{"op":"create","object":%q,"relation":"r","subject":"u:x"}],"more":true}}`, object)
	}
	return fmt.Sprintf(`{"change":{"token":%q,"time":"2030-01-01T00:00:00Z","changes":[{"op":"create","object":%q,"relation":"r","subject":"u:x"}]}}`, token, object)
}

func problem(code api.Code) string {
	return fmt.Sprintf(`{"problem":{"code":%q,"retry":%v}}`, code, api.NewProblem(code, "").Retry)
}

func rehearsed(t *testing.T, answers ...func(http.ResponseWriter)) (*client.Store, *rehearsal) {
	t.Helper()
	s := &rehearsal{answers: answers}
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	c, err := client.New(client.Config{Addresses: []string{web.URL}, Backoff: time.Millisecond, WatchPatience: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c.Store("acme"), s
}

// However a connection ends, the watch goes on from the last token: a part of a
// revision that came without its end is not given, and comes again whole.
func TestWatchGoesOn(t *testing.T) {
	broken := func(w http.ResponseWriter) {
		lines(beat("t0", 1000), changed("t1", "o:a", false), changed("", "o:b", true))(w)
		panic(http.ErrAbortHandler)
	}
	store, server := rehearsed(t, broken, cut,
		lines(beat("t1", 1000), changed("", "o:b", true), changed("t2", "o:c", false), problem(api.NotReady)),
		lines(beat("t2", 1000), problem(api.DeadlineExceeded)),
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		lines(beat("t3", 1000), problem(api.HistoryExpired)))
	var got []string
	var ended *client.WatchError
	for event, err := range store.Watch(t.Context(), api.WatchRequest{Token: "t"}) {
		if err != nil {
			if !errors.As(err, &ended) || !errors.Is(err, api.HistoryExpired) || ended.Token != "t3" {
				t.Errorf("it ended with %v", err)
			}
			break
		}
		text := string(event.Token)
		for _, c := range event.Changes {
			text += " " + c.Object
		}
		got = append(got, text)
	}
	want := []string{"t0", "t1 o:a", "t1", "t2 o:b o:c", "t2", "t3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if tokens := []string{"t", "t1", "t1", "t2", "t2", "t2"}; !slices.Equal(server.tokens, tokens) {
		t.Errorf("it asked from %q, want %q", server.tokens, tokens)
	}
}

// Where no server answers for long, the watch says so, and where to go on.
func TestWatchGivesUp(t *testing.T) {
	store, _ := rehearsed(t, lines(beat("t1", 1000)))
	var last tuple.Token
	for event, err := range store.Watch(t.Context(), api.WatchRequest{}) {
		var ended *client.WatchError
		if err != nil {
			if !errors.As(err, &ended) || ended.Token != last || last != "t1" {
				t.Errorf("it ended with %v at %q", err, last)
			}
			return
		}
		last = event.Token
	}
	t.Error("it ended without an error")
}

// What is refused is not asked again.
func TestWatchRefused(t *testing.T) {
	store, server := rehearsed(t, func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", api.ProblemJSON)
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"code":"unknown_store","status":404}`)
	})
	for _, err := range store.Watch(t.Context(), api.WatchRequest{}) {
		if !errors.Is(err, api.UnknownStore) {
			t.Errorf("got %v", err)
		}
	}
	if len(server.tokens) != 1 {
		t.Errorf("it asked %d times", len(server.tokens))
	}
}
