package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
)

func TestStream(t *testing.T) {
	const first, second, end = `{"object":"document:a","result":"allowed"}`, `{"object":"document:b","result":"conditional","missing":["ip"]}`, `{"end":{"token":"t1","evaluated_at":"2026-01-01T00:00:00Z"}}`
	cut := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, first)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   []string
		err    error
	}{
		{"whole", says(first + "\n" + second + "\n" + end + "\n"), []string{"document:a", "document:b"}, nil},
		{"empty", says(end), nil, nil},
		{"nothing", says(""), nil, client.ErrStreamCut},
		{"without its end", says(first + "\n"), []string{"document:a"}, client.ErrStreamCut},
		{"cut in a line", says(first + "\n" + second[:20]), []string{"document:a"}, client.ErrStreamCut},
		{"cut by the connection", cut, []string{"document:a"}, client.ErrStreamCut},
		{"something behind the end", says(end + first), nil, client.ErrStreamCut},
		{"ends in a problem", says(first + "\n" + `{"problem":{"code":"budget_exceeded","status":503}}`), []string{"document:a"}, api.BudgetExceeded},
		{"refused", refuses(api.UnknownType), nil, api.UnknownType},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &scripted{answers: []http.HandlerFunc{test.answer}}
			server := httptest.NewServer(s)
			defer server.Close()
			var got []string
			var failed error
			for found, err := range connect(t, server.URL).Store("acme").Objects(t.Context(), api.LookupObjectsRequest{ObjectType: "document"}) {
				if failed = err; err != nil {
					break
				}
				got = append(got, found.Object)
			}
			if !slices.Equal(got, test.want) || test.err == nil && failed != nil || test.err != nil && !errors.Is(failed, test.err) {
				t.Errorf("got %v, %v; want %v, %v", got, failed, test.want, test.err)
			}
		})
	}
}

func TestSession(t *testing.T) {
	s, store := start(t, says(allowed), says(`{"token":"w1","written":1,"deleted":0}`), says(allowed))
	mine := store.Session()
	ask := func(store *client.Store, request api.CheckRequest) string {
		t.Helper()
		if _, err := store.Check(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		return s.asked()[len(s.asked())-1].body
	}
	if body := ask(mine, question); strings.Contains(body, "consistency") {
		t.Errorf("a session that wrote nothing asks %s", body)
	}
	if _, err := mine.Touch(t.Context(), api.Tuple{}); err != nil || mine.Token() != "w1" {
		t.Fatalf("token %q, %v", mine.Token(), err)
	}
	if body := ask(mine, question); !strings.Contains(body, `"consistency":{"at_least_as_fresh":{"token":"w1"}}`) {
		t.Errorf("after a write the session asks %s", body)
	}
	if body := ask(store, question); strings.Contains(body, "consistency") {
		t.Errorf("the store itself asks %s", body)
	}
	own := question
	own.Consistency = api.FullyConsistent()
	if body := ask(mine, own); !strings.Contains(body, `"consistency":{"fully_consistent":{}}`) {
		t.Errorf("a consistency of its own became %s", body)
	}
	mine.Observe("w9")
	if body := ask(mine, question); !strings.Contains(body, `"token":"w9"`) {
		t.Errorf("after Observe the session asks %s", body)
	}
}
