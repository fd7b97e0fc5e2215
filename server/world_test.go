package server_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

const model = `pemba 1

type user

type group {
  relation member: [user | group#member]
}

condition from_office(ip: ipaddress, cidr: string) { ip.in_cidr(cidr) }

singleton system:main { relation admin: [user] at most 1 }

type folder {
  relation owner:  [user]
  relation viewer: [user | user:* | group#member]
  relation banned: [user]
  permission view = viewer except banned
}

type document {
  relation folder: [folder]
  relation owner:  [user] at most 1
  relation viewer: [user | user:* | group#member | user with from_office | user with expiry]
  permission edit = owner
  permission view = viewer or edit or folder->view
}

sealed group:everyone#member = user:root
`

var given = []string{
	"group:eng#member@user:ana",
	"group:all#member@group:eng#member",
	"document:readme#viewer@group:all#member",
	"document:readme#owner@user:olga",
	"document:plan#folder@folder:public",
	"folder:public#viewer@user:*",
	"folder:public#banned@user:bob",
	`document:secret#viewer@user:ana with from_office {"cidr":"10.0.0.0/8"}`,
	"document:lent#viewer@user:ana until 2200-01-01T00:00:00Z",
}

// world is a node with a server on it and a client before it.
type world struct {
	*client.Store
	t      testing.TB
	node   *raftstore.Node
	client *client.Client
	url    string
}

// start runs a world whose store has the model and the tuples above.
func start(t testing.TB, config server.Config) *world {
	t.Helper()
	w := empty(t, config)
	if _, err := w.PutSchema(t.Context(), source(model)); err != nil {
		t.Fatal(err)
	}
	w.touch(given...)
	return w
}

// empty runs a world whose store has nothing in it.
func empty(t testing.TB, config server.Config) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node, err := raftstore.Open(ctx, raftstore.Config{Dir: t.TempDir(), NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := node.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return onNode(t, node, config)
}

func onNode(t testing.TB, node *raftstore.Node, config server.Config) *world {
	t.Helper()
	url := serve(t, node, config)
	c := dial(t, url)
	if _, err := c.PutStore(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	return &world{Store: c.Store("acme"), t: t, node: node, client: c, url: url}
}

func serve(t testing.TB, node *raftstore.Node, config server.Config) (url string) {
	t.Helper()
	web := httptest.NewServer(server.New(node, config))
	t.Cleanup(web.Close)
	return web.URL
}

func dial(t testing.TB, urls ...string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{Addresses: urls, Backoff: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func source(text string) api.PutSchemaRequest {
	return api.PutSchemaRequest{SchemaSource: api.SchemaSource{Files: []api.SchemaFile{{Name: "main.pemba", Text: text}}}}
}

func wire(t testing.TB, texts ...string) []api.Tuple {
	t.Helper()
	tuples := make([]api.Tuple, len(texts))
	for i, text := range texts {
		var err error
		if tuples[i], err = api.ParseTuple(text); err != nil {
			t.Fatal(err)
		}
	}
	return tuples
}

func (w *world) touch(texts ...string) api.WriteResponse {
	w.t.Helper()
	written, err := w.Touch(w.t.Context(), wire(w.t, texts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return written
}

// everything is all that the store holds, as text.
func (w *world) everything() string {
	w.t.Helper()
	var b strings.Builder
	for t, err := range w.Tuples(w.t.Context(), api.ReadRequest{Consistency: api.FullyConsistent()}) {
		if err != nil {
			w.t.Fatal(err)
		}
		text, err := json.Marshal(t)
		if err != nil {
			w.t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	current, err := w.Schema(w.t.Context(), "")
	if err != nil {
		w.t.Fatal(err)
	}
	stores, err := w.client.Stores(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range stores.Stores {
		b.WriteString(s.Name + "\n")
	}
	return b.String() + current.ETag
}

// answer is what the server said to a plain request.
type answer struct {
	status  int
	header  http.Header
	body    string
	problem *api.Problem
}

// send sends a plain request; "METHOD path", headers as "Name: value".
func (w *world) send(route, body string, headers ...string) answer {
	w.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" && !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Content-Type:") }) {
		request.Header.Set("Content-Type", api.JSON)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(text)}
	if response.Header.Get("Content-Type") == api.ProblemJSON {
		a.problem = &api.Problem{}
		if err := json.Unmarshal(text, a.problem, json.RejectUnknownMembers(true)); err != nil {
			w.t.Fatalf("%s: %v", text, err)
		}
	}
	return a
}
