package server_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// many runs a world with n documents that ana may view.
func many(t *testing.T, n int) *world {
	w := start(t, server.Config{})
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("document:d%03d#viewer@user:ana", i))
	}
	w.touch(texts...)
	return w
}

// Pages of any size make up the same list, and none of them sees what was
// written after the first.
func TestPagesMakeUpTheStream(t *testing.T) {
	w := many(t, 20)
	ctx := t.Context()
	lookup := api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana"}
	var want []string
	for found, err := range w.Objects(ctx, lookup) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, found.Object)
	}
	if len(want) != 24 {
		t.Fatalf("the stream has %d objects: %v", len(want), want)
	}
	for _, limit := range []int{1, 3, 8, 24, 25} {
		var got []string
		var first api.Evaluated
		request := lookup
		request.Limit = limit
		for n := 0; ; n++ {
			page, err := w.LookupObjects(ctx, request)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				first = page.Evaluated
			}
			if !page.EvaluatedAt.Equal(first.EvaluatedAt) {
				t.Fatalf("limit %d, page %d: evaluated at %s, the first page at %s", limit, n, page.EvaluatedAt, first.EvaluatedAt)
			}
			if len(page.Objects) > limit || len(page.Objects) < limit && page.Cursor != "" {
				t.Fatalf("limit %d, page %d: %d objects, cursor %q", limit, n, len(page.Objects), page.Cursor)
			}
			for _, found := range page.Objects {
				got = append(got, found.Object)
			}
			if page.Cursor == "" {
				break
			}
			request.Cursor = page.Cursor
			w.touch(fmt.Sprintf("document:d%03d-%d-%d#viewer@user:ana", n, limit, n))
		}
		for i := range 24 { // what this round wrote is not part of the next one
			w.Delete(ctx, wire(t, fmt.Sprintf("document:d%03d-%d-%d#viewer@user:ana", i, limit, i))...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: got %v, want %v", limit, got, want)
		}
	}
}

func TestPagesOfEveryList(t *testing.T) {
	w := many(t, 5)
	for route, body := range map[string]string{
		"tuples/read":        `"filter":{"object_type":"document"}`,
		"lookup/objects":     `"object_type":"document","permission":"view","subject":"user:ana"`,
		"lookup/subjects":    `"object":"folder:public","permission":"view","subject_type":"user"`,
		"lookup/permissions": `"object":"document:readme","subject":"user:olga"`,
	} {
		t.Run(route, func(t *testing.T) {
			whole := w.send("POST /v1/stores/acme/"+route, "{"+body+"}", "Accept: application/x-ndjson")
			if got := whole.header.Get("Content-Type"); got != api.NDJSON {
				t.Fatalf("a stream of %s: %s", got, whole.body)
			}
			lines := strings.Split(strings.TrimSpace(whole.body), "\n")
			if !strings.HasPrefix(lines[len(lines)-1], `{"end":{"token":`) {
				t.Errorf("the stream ends in %s", lines[len(lines)-1])
			}
			var pages []string
			cursor := ""
			for {
				got := w.send("POST /v1/stores/acme/"+route, fmt.Sprintf(`{%s,"limit":1,"cursor":%q}`, body, cursor))
				var page map[string]any
				if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.problem != nil {
					t.Fatalf("%s: %v", got.body, err)
				}
				for _, name := range []string{"tuples", "objects", "subjects", "permissions"} {
					if list, ok := page[name].([]any); ok {
						for _, entry := range list {
							text, _ := json.Marshal(entry, json.Deterministic(true))
							pages = append(pages, string(text))
						}
					}
				}
				if cursor, _ = page["cursor"].(string); cursor == "" {
					break
				}
			}
			for i, line := range lines[:len(lines)-1] {
				var entry any
				json.Unmarshal([]byte(line), &entry)
				text, _ := json.Marshal(entry, json.Deterministic(true))
				lines[i] = string(text)
			}
			if !reflect.DeepEqual(pages, lines[:len(lines)-1]) {
				t.Errorf("the pages have\n%s\nthe stream has\n%s", strings.Join(pages, "\n"), strings.Join(lines[:len(lines)-1], "\n"))
			}
		})
	}
}

func TestForeignCursors(t *testing.T) {
	w := many(t, 5)
	ctx := t.Context()
	request := api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana", Page: api.Page{Limit: 2}}
	page, err := w.LookupObjects(ctx, request)
	if err != nil || page.Cursor == "" {
		t.Fatal(page, err)
	}
	written := w.touch("document:later#viewer@user:ana")
	request.Cursor = page.Cursor
	tests := []struct {
		name   string
		change func(*api.LookupObjectsRequest)
		want   api.Code // "": it is taken
	}{
		{"the same request", func(r *api.LookupObjectsRequest) {}, ""},
		{"another limit", func(r *api.LookupObjectsRequest) { r.Limit = 3 }, ""},
		{"the same revision", func(r *api.LookupObjectsRequest) { r.Consistency = api.AtExactSnapshot(page.Token) }, ""},
		{"at least its revision", func(r *api.LookupObjectsRequest) { r.Consistency = api.AtLeastAsFresh(page.Token) }, ""},
		{"another subject", func(r *api.LookupObjectsRequest) { r.Subject = "user:bob" }, api.ForeignCursor},
		{"another type", func(r *api.LookupObjectsRequest) { r.ObjectType = "folder" }, api.ForeignCursor},
		{"a context", func(r *api.LookupObjectsRequest) { r.Context = api.Context(`{"ip":"10.0.0.1"}`) }, api.ForeignCursor},
		{"a contextual tuple", func(r *api.LookupObjectsRequest) {
			r.ContextualTuples = wire(t, "document:x#viewer@user:ana")
		}, api.ForeignCursor},
		{"another instant", func(r *api.LookupObjectsRequest) { r.At = page.EvaluatedAt.AddDate(1, 0, 0) }, api.ForeignCursor},
		{"another revision", func(r *api.LookupObjectsRequest) { r.Consistency = api.AtExactSnapshot(written.Token) }, api.ForeignCursor},
		{"a later revision", func(r *api.LookupObjectsRequest) { r.Consistency = api.AtLeastAsFresh(written.Token) }, api.ForeignCursor},
		{"a token for a cursor", func(r *api.LookupObjectsRequest) { r.Cursor = string(page.Token) }, api.InvalidCursor},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			changed := request
			test.change(&changed)
			got, err := w.LookupObjects(ctx, changed)
			if test.want == "" && (err != nil || len(got.Objects) == 0) || test.want != "" && !errors.Is(err, test.want) {
				t.Errorf("got %+v, %v; want %q", got, err, test.want)
			}
		})
	}
	t.Run("another route", func(t *testing.T) {
		_, err := w.ReadTuples(ctx, api.ReadRequest{Page: api.Page{Cursor: page.Cursor}})
		if !errors.Is(err, api.ForeignCursor) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("another store", func(t *testing.T) {
		if _, err := w.client.PutStore(ctx, "other"); err != nil {
			t.Fatal(err)
		}
		_, err := w.client.Store("other").LookupObjects(ctx, request)
		if !errors.Is(err, api.ForeignCursor) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("altered", func(t *testing.T) {
		for i := range page.Cursor {
			altered := []byte(page.Cursor)
			altered[i] ^= 1
			changed := request
			changed.Cursor = string(altered)
			if got, err := w.LookupObjects(ctx, changed); !errors.Is(err, api.InvalidCursor) {
				t.Fatalf("byte %d altered: got %+v, %v", i, got, err)
			}
		}
		changed := request
		changed.Cursor = page.Cursor[:len(page.Cursor)-1]
		if _, err := w.LookupObjects(ctx, changed); !errors.Is(err, api.InvalidCursor) {
			t.Errorf("cut: got %v", err)
		}
	})
	t.Run("the store made anew", func(t *testing.T) {
		if _, err := w.client.DeleteStore(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.LookupObjects(ctx, request); !errors.Is(err, api.UnknownStore) {
			t.Errorf("deleted: got %v", err)
		}
		if _, err := w.client.PutStore(ctx, "acme"); err != nil {
			t.Fatal(err)
		}
		if got, err := w.LookupObjects(ctx, request); !errors.Is(err, api.ForeignCursor) {
			t.Errorf("made anew: got %+v, %v", got, err)
		}
		past := api.ReadRequest{Consistency: api.AtExactSnapshot(page.Token)}
		if got, err := w.ReadTuples(ctx, past); !errors.Is(err, api.HistoryExpired) {
			t.Errorf("a snapshot of the store before: got %+v, %v", got, err)
		}
	})
}

// An error in the middle of a stream is its last line, and the client's error.
func TestStreamEndsInProblem(t *testing.T) {
	w := start(t, server.Config{})
	var got []string
	var failed error
	for found, err := range w.Objects(t.Context(), api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana", Brought: api.Brought{Context: api.Context(`{"ip":5}`)}}) {
		if failed = err; err != nil {
			break
		}
		got = append(got, found.Object)
	}
	if !errors.Is(failed, api.ConditionFailed) {
		t.Errorf("got %v, %v", got, failed)
	}
}

// No text but one that the cluster sealed is taken for a cursor or a token.
func FuzzCursor(f *testing.F) {
	w := start(f, server.Config{})
	page, err := w.ReadTuples(f.Context(), api.ReadRequest{Page: api.Page{Limit: 1}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{page.Cursor, string(page.Token), "", "AA", page.Cursor[1:], page.Cursor + "A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w := *w
		w.t = t
		body, err := json.Marshal(api.ReadRequest{Page: api.Page{Cursor: text}})
		if err != nil {
			return // not UTF-8
		}
		if got := w.send("POST /v1/stores/acme/tuples/read", string(body)); got.status != 200 && (got.problem == nil || got.status != 400) {
			t.Errorf("cursor %q: %d %s", text, got.status, got.body)
		} else if got.status == 200 && text != "" && text != page.Cursor {
			t.Errorf("cursor %q was taken", text)
		}
		body, _ = json.Marshal(api.ReadRequest{Consistency: api.AtExactSnapshot(tuple.Token(text))})
		if got := w.send("POST /v1/stores/acme/tuples/read", string(body)); got.status != 200 && (got.problem == nil || got.status != 400) {
			t.Errorf("token %q: %d %s", text, got.status, got.body)
		} else if got.status == 200 && text != string(page.Token) {
			t.Errorf("token %q was taken", text)
		}
	})
}

// The pages of the list of stores make up the list, also while stores come and go.
func TestStoresPages(t *testing.T) {
	w := start(t, server.Config{})
	ctx := t.Context()
	want := []string{"acme"}
	for i := range 9 {
		name := fmt.Sprintf("s%d", i)
		if _, err := w.client.PutStore(ctx, name); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	for _, limit := range []int{0, 1, 3, 10, 11} {
		var got []string
		cursor := ""
		for {
			page, err := w.client.StoresPage(ctx, limit, cursor)
			if err != nil {
				t.Fatal(err)
			}
			if limit > 0 && len(page.Stores) > limit || len(page.Stores) == 0 {
				t.Errorf("limit %d: a page of %d", limit, len(page.Stores))
			}
			for _, store := range page.Stores {
				got = append(got, store.Name)
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: got %v, want %v", limit, got, want)
		}
	}
	first, err := w.client.StoresPage(ctx, 3, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.DeleteStore(ctx, "s1"); err != nil { // the last of the first page
		t.Fatal(err)
	}
	if next, err := w.client.StoresPage(ctx, 1, first.Cursor); err != nil || next.Stores[0].Name != "s2" {
		t.Errorf("behind a store that went: %+v, %v", next, err)
	}
	lookup := api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana", Page: api.Page{Cursor: first.Cursor}}
	if _, err := w.LookupObjects(ctx, lookup); !errors.Is(err, api.ForeignCursor) {
		t.Errorf("the cursor at another route: %v", err)
	}
	for _, query := range []string{"limit=-1", "limit=x", "limit=10001", "cursor=x"} {
		if got := w.send("GET /v1/stores?"+query, ""); got.status != 400 || got.problem == nil {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
}
