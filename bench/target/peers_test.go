package target_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/target"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/dialect"
	openfgadialect "github.com/pemba-authz/pemba/schema/dialect/openfga"
	spicedbdialect "github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// peer stands in for another engine's server: it speaks its bodies, and answers by
// our engine over the schema that it was given in its own language.
type peer struct {
	t      *testing.T
	mu     sync.Mutex // guards what follows
	schema *schema.Schema
	tuples map[tuple.Key]tuple.Tuple
	view   engine.View // made of the two; Reader is nil when it is old
}

func (p *peer) take(translate func([]source.File) dialect.Result, name, text string) {
	p.t.Helper()
	result := translate([]source.File{{Name: name, Text: text}})
	m, err := schema.Compile(result.Files, schema.NewNumbering())
	if err != nil {
		p.t.Errorf("the model: %v, %v\n%s", result.Err(), err, text)
		return
	}
	p.schema, p.tuples = m.Schema, map[tuple.Key]tuple.Tuple{}
}

func (p *peer) write(text string, deleted bool) {
	k, err := tuple.ParseKey(text)
	if err != nil {
		p.t.Errorf("%s: %v", text, err)
	}
	if p.view.Reader = nil; deleted {
		delete(p.tuples, k)
	} else {
		p.tuples[k] = tuple.Tuple{Key: k}
	}
}

func (p *peer) current() engine.View {
	if p.view.Reader == nil {
		var list []tuple.Tuple
		for _, t := range p.tuples {
			list = append(list, t)
		}
		r, err := memory.New(p.schema, list)
		if err != nil {
			p.t.Error(err)
		}
		p.view = engine.View{Schema: p.schema, Reader: r, Now: time.Now()}
	}
	return p.view
}

func (p *peer) check(object, permission, subject string) bool {
	o, err := tuple.ParseObject(object)
	s, subjectErr := tuple.ParseSubject(subject)
	a, checkErr := engine.Check(p.t.Context(), p.current(), engine.Question{Object: o, Permission: permission, Subject: s})
	if err := errors.Join(err, subjectErr, checkErr); err != nil {
		p.t.Error(err)
	}
	return a.Outcome == engine.Allowed
}

func (p *peer) objects(typ, permission, subject string) []string {
	s, _ := tuple.ParseSubject(subject)
	page, err := engine.LookupObjects(p.t.Context(), p.current(), engine.ObjectsQuestion{Type: typ, Permission: permission, Subject: s}, engine.Page{})
	if err != nil {
		p.t.Error(err)
	}
	var ids []string
	for _, f := range page.Found {
		ids = append(ids, f.Object.ID)
	}
	return ids
}

func (p *peer) subjects(object, permission, typ string) []string {
	o, _ := tuple.ParseObject(object)
	page, err := engine.LookupSubjects(p.t.Context(), p.current(), engine.SubjectsQuestion{Object: o, Permission: permission, Type: typ}, engine.Page{})
	if err != nil {
		p.t.Error(err)
	}
	var ids []string
	for _, f := range page.Found {
		ids = append(ids, f.Subject.ID)
	}
	return ids
}

// serve answers by path; body is what was sent.
func (p *peer) serve(answer func(path string, body []byte) (any, []any)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if got := r.Header.Get("Authorization"); got != "" && got != "Bearer secret" {
			p.t.Errorf("Authorization: %s", got)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			p.t.Error(err)
		}
		one, stream := answer(r.URL.Path, body)
		if stream == nil {
			stream = []any{one}
		}
		for _, x := range stream {
			text, err := json.Marshal(x)
			if err != nil {
				p.t.Error(err)
			}
			fmt.Fprintf(w, "%s\n", text)
			w.(http.Flusher).Flush() // chunked, as both servers stream
		}
	}))
	p.t.Cleanup(server.Close)
	return server.URL
}

func read[T any](t *testing.T, body []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(body, &v, json.RejectUnknownMembers(true)); err != nil {
		t.Errorf("%v: %s", err, body)
	}
	return v
}

type object = map[string]any

type openfgaKey struct {
	User     string `json:"user"`
	Relation string `json:"relation"`
	Object   string `json:"object"`
}

func (k openfgaKey) text() string { return k.Object + "#" + k.Relation + "@" + k.User }

func openfga(t *testing.T) string {
	p := &peer{t: t}
	return p.serve(func(path string, body []byte) (any, []any) {
		rest, inStore := strings.CutPrefix(path, "/stores/S")
		switch {
		case !inStore:
			return object{"id": "S", "name": read[struct{ Name string }](t, []byte(strings.Replace(string(body), "name", "Name", 1))).Name}, nil
		case rest == "/authorization-models":
			p.take(openfgadialect.Import, "model.json", string(body))
			return object{"authorization_model_id": "M"}, nil
		case rest == "/write":
			type list struct {
				Keys        []openfgaKey `json:"tuple_keys"`
				OnDuplicate string       `json:"on_duplicate"`
				OnMissing   string       `json:"on_missing"`
			}
			r := read[struct {
				Model   string `json:"authorization_model_id"`
				Writes  list   `json:"writes"`
				Deletes list   `json:"deletes"`
			}](t, body)
			if len(r.Writes.Keys)+len(r.Deletes.Keys) > 100 {
				t.Errorf("a write of %d", len(r.Writes.Keys)+len(r.Deletes.Keys))
			}
			for _, k := range r.Writes.Keys {
				p.write(k.text(), false)
			}
			for _, k := range r.Deletes.Keys {
				p.write(k.text(), true)
			}
			return object{}, nil
		case rest == "/check":
			r := read[struct {
				Key   openfgaKey `json:"tuple_key"`
				Model string     `json:"authorization_model_id"`
			}](t, body)
			return object{"allowed": p.check(r.Key.Object, r.Key.Relation, r.Key.User), "resolution": ""}, nil
		case rest == "/batch-check":
			r := read[struct {
				Checks []struct {
					Key openfgaKey `json:"tuple_key"`
					ID  string     `json:"correlation_id"`
				} `json:"checks"`
				Model string `json:"authorization_model_id"`
			}](t, body)
			result := object{}
			for _, c := range r.Checks {
				result[c.ID] = object{"allowed": p.check(c.Key.Object, c.Key.Relation, c.Key.User)}
			}
			return object{"result": result}, nil
		case rest == "/streamed-list-objects":
			r := read[struct {
				Type     string `json:"type"`
				Relation string `json:"relation"`
				User     string `json:"user"`
				Model    string `json:"authorization_model_id"`
			}](t, body)
			stream := []any{}
			for _, id := range p.objects(r.Type, r.Relation, r.User) {
				stream = append(stream, object{"result": object{"object": r.Type + ":" + id}})
			}
			return nil, stream
		case rest == "/list-users":
			r := read[struct {
				Object struct {
					Type string `json:"type"`
					ID   string `json:"id"`
				} `json:"object"`
				Relation string `json:"relation"`
				Filters  []struct {
					Type string `json:"type"`
				} `json:"user_filters"`
				Model string `json:"authorization_model_id"`
			}](t, body)
			users := []any{}
			for _, id := range p.subjects(r.Object.Type+":"+r.Object.ID, r.Relation, r.Filters[0].Type) {
				users = append(users, object{"object": object{"type": r.Filters[0].Type, "id": id}})
			}
			return object{"users": users}, nil
		}
		t.Errorf("there is nothing at %s", path)
		return nil, nil
	})
}

type spicedbObject struct {
	Type string `json:"objectType"`
	ID   string `json:"objectId"`
}

type spicedbSubject struct {
	Object   spicedbObject `json:"object"`
	Relation string        `json:"optionalRelation"`
}

func (s spicedbSubject) text() string {
	text := s.Object.Type + ":" + s.Object.ID
	if s.Relation != "" {
		text += "#" + s.Relation
	}
	return text
}

type consistency struct {
	Full bool `json:"fullyConsistent"`
}

func spicedb(t *testing.T) string {
	p := &peer{t: t}
	type item struct {
		Resource   spicedbObject  `json:"resource"`
		Permission string         `json:"permission"`
		Subject    spicedbSubject `json:"subject"`
	}
	word := func(c item) string {
		if p.check(c.Resource.Type+":"+c.Resource.ID, c.Permission, c.Subject.text()) {
			return "PERMISSIONSHIP_HAS_PERMISSION"
		}
		return "PERMISSIONSHIP_NO_PERMISSION"
	}
	return p.serve(func(path string, body []byte) (any, []any) {
		switch path {
		case "/v1/schema/write":
			p.take(spicedbdialect.Import, "schema.zed", read[struct {
				Schema string `json:"schema"`
			}](t, body).Schema)
			return object{}, nil
		case "/v1/relationships/write":
			r := read[struct {
				Updates []struct {
					Operation    string `json:"operation"`
					Relationship struct {
						Resource spicedbObject  `json:"resource"`
						Relation string         `json:"relation"`
						Subject  spicedbSubject `json:"subject"`
					} `json:"relationship"`
				} `json:"updates"`
			}](t, body)
			for _, u := range r.Updates {
				k := u.Relationship
				p.write(k.Resource.Type+":"+k.Resource.ID+"#"+k.Relation+"@"+k.Subject.text(), u.Operation == "OPERATION_DELETE")
			}
			return object{"writtenAt": object{"token": "x"}}, nil
		case "/v1/permissions/check":
			r := read[struct {
				Consistency consistency    `json:"consistency"`
				Resource    spicedbObject  `json:"resource"`
				Permission  string         `json:"permission"`
				Subject     spicedbSubject `json:"subject"`
			}](t, body)
			return object{"checkedAt": object{"token": "x"}, "permissionship": word(item{r.Resource, r.Permission, r.Subject})}, nil
		case "/v1/permissions/checkbulk":
			r := read[struct {
				Consistency consistency `json:"consistency"`
				Items       []item      `json:"items"`
			}](t, body)
			pairs := []any{}
			for _, i := range r.Items {
				pairs = append(pairs, object{"request": object{}, "item": object{"permissionship": word(i)}})
			}
			return object{"pairs": pairs}, nil
		case "/v1/permissions/resources":
			r := read[struct {
				Consistency consistency    `json:"consistency"`
				Type        string         `json:"resourceObjectType"`
				Permission  string         `json:"permission"`
				Subject     spicedbSubject `json:"subject"`
				Limit       int            `json:"optionalLimit"`
			}](t, body)
			stream := []any{}
			for _, id := range p.objects(r.Type, r.Permission, r.Subject.text()) {
				if r.Limit == 0 || len(stream) < r.Limit {
					stream = append(stream, object{"result": object{"resourceObjectId": id, "permissionship": "LOOKUP_PERMISSIONSHIP_HAS_PERMISSION"}})
				}
			}
			return nil, stream
		case "/v1/permissions/subjects":
			r := read[struct {
				Consistency consistency   `json:"consistency"`
				Resource    spicedbObject `json:"resource"`
				Permission  string        `json:"permission"`
				Type        string        `json:"subjectObjectType"`
			}](t, body)
			stream := []any{}
			for _, id := range p.subjects(r.Resource.Type+":"+r.Resource.ID, r.Permission, r.Type) {
				stream = append(stream, object{"result": object{"subject": object{"subjectObjectId": id}}})
			}
			return nil, stream
		}
		t.Errorf("there is nothing at %s", path)
		return nil, nil
	})
}

// The other engines are spoken to in their own words: the schema arrives whole,
// every operation that they have is answered, and right.
func TestPeers(t *testing.T) {
	d := dataset.NewDrive(2000, 1)
	for _, c := range []struct {
		protocol target.Protocol
		address  string
		lacks    string
	}{{&target.OpenFGA{}, openfga(t), "page"}, {&target.SpiceDB{}, spicedb(t), ""}} {
		t.Run(c.protocol.Name(), func(t *testing.T) {
			h, err := target.New(c.protocol, c.address, target.Access{Token: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Load(t.Context(), d, func(int) {}); err != nil {
				t.Fatal(err)
			}
			if c.lacks != "" {
				if _, err := h.Objects(d.ObjectLists(1, 2), 10); !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("a page: %v, want unsupported", err)
				}
			}
			for name, op := range operations(t, h, d, c.lacks) {
				s := sample(t, op)
				if s.Requests == 0 || s.Failed+s.Wrong > 0 {
					t.Errorf("%s: %+v", name, s)
				}
			}
		})
	}
}

// A schema that other servers cannot say is refused, not said differently.
func TestPeersRefuse(t *testing.T) {
	p, err := dataset.NewProduct("ptolemy", 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		protocol target.Protocol
		address  string
	}{{&target.OpenFGA{}, openfga(t)}, {&target.SpiceDB{}, spicedb(t)}} {
		h, err := target.New(c.protocol, c.address, target.Access{})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Load(t.Context(), p, func(int) {}); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v, want unsupported", h.Name(), err)
		}
	}
}
