package server_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// A repetition that comes after its key was forgotten is refused where it says
// since when it is tried, and never made twice.
func TestLateRepetition(t *testing.T) {
	node, err := raftstore.Open(t.Context(), raftstore.Config{Dir: t.TempDir(), NoSync: true,
		HistoryWindow: 2 * time.Second, CollectInterval: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	c := dial(t, serve(t, node, server.Config{}))
	store := c.Store("acme")
	_, err = c.PutStore(t.Context(), "acme")
	if err == nil {
		_, err = store.PutSchema(t.Context(), source(model))
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := c.Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request := api.WriteRequest{IdempotencyKey: "k", IdempotencySince: before.Token,
		Operations: []api.Operation{{Op: api.Touch, Tuple: api.Tuple{Object: "folder:f", Relation: "viewer", Subject: "user:ana"}}}}
	first, err := store.Write(t.Context(), request)
	if err != nil || first.Replayed {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := store.Write(t.Context(), request); err != nil || !again.Replayed || again.Written != first.Written {
		t.Fatalf("repeated at once: %+v, %v", again, err)
	}
	if _, err := store.Delete(t.Context(), request.Operations[0].Tuple); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for i := 0; ; i++ { // until the history's floor has passed the key
		if _, err := store.Touch(t.Context(), api.Tuple{Object: "folder:g", Relation: "viewer", Subject: fmt.Sprint("user:u", i)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
		_, err := store.Write(t.Context(), request)
		if errors.Is(err, api.OutcomeUnknownExpired) {
			break
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("repeated after %d changes: %v, want %v", i, err, api.OutcomeUnknownExpired)
		}
	}
	if allowed, err := store.Allowed(t.Context(), "folder:f", "viewer", "user:ana"); allowed || err != nil {
		t.Errorf("the late repetition brought the tuple back: %v, %v", allowed, err)
	}
	request.IdempotencyKey, request.IdempotencySince = "other", "nonsense"
	if _, err := store.Write(t.Context(), request); !errors.Is(err, api.InvalidToken) {
		t.Errorf("since nonsense: %v", err)
	}
}

// The client says since when it tries, once it knows a token, also when the cluster
// behind an address has become another one.
func TestClientSaysSinceWhen(t *testing.T) {
	var behind atomic.Pointer[url.URL]
	var since atomic.Int64
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind.Load())
		if r.In.Header.Get(api.IdempotencySince) != "" {
			since.Add(1)
		}
	}})
	t.Cleanup(proxy.Close)
	c := dial(t, proxy.URL)
	for range 2 { // the second cluster does not know the first one's tokens
		w := empty(t, server.Config{})
		at, err := url.Parse(w.url)
		if err != nil {
			t.Fatal(err)
		}
		behind.Store(at)
		if _, err := c.PutStore(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Store("acme").PutSchema(t.Context(), source(model)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := c.Store("acme").Touch(t.Context(), api.Tuple{Object: "folder:f", Relation: "viewer", Subject: "user:ana"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := since.Load(); got != 3 { // every write but the first, and of the third no second try says it
		t.Errorf("the header came %d times, want 3", got)
	}
}

// A client that was idle for longer than history is kept writes as before: its
// last token is too old to say when a key of its own was made, and it knows.
func TestIdleClientWrites(t *testing.T) {
	node, err := raftstore.Open(t.Context(), raftstore.Config{Dir: t.TempDir(), NoSync: true,
		HistoryWindow: time.Millisecond, CollectInterval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	w := onNode(t, node, server.Config{})
	if _, err := w.PutSchema(t.Context(), source(model)); err != nil {
		t.Fatal(err)
	}
	idle := dial(t, w.url).Store("acme")
	one := api.Tuple{Object: "folder:f", Relation: "viewer", Subject: "user:ana"}
	first, err := idle.Touch(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for i := 0; ; i++ { // others write until the floor has passed the client's last token
		w.touch(fmt.Sprint("folder:g#viewer@user:u", i))
		_, err := w.ReadTuples(t.Context(), api.ReadRequest{Consistency: &api.Consistency{
			AtExactSnapshot: &api.AtRevision{Token: first.Token}}})
		if errors.Is(err, api.HistoryExpired) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the floor does not pass: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := idle.Touch(t.Context(), one); err != nil {
		t.Fatalf("after idling: %v", err)
	}
}
