package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// Every bad input gets a 4xx problem with a stable code that names the thing and
// its place, and nothing is written.
func TestBadInput(t *testing.T) {
	w := start(t, server.Config{BodyBytes: 64 << 10})
	const (
		check  = "POST /v1/stores/acme/check"
		write  = "POST /v1/stores/acme/tuples/write"
		remove = "POST /v1/stores/acme/tuples/delete"
		put    = "PUT /v1/stores/acme/schema"
	)
	ask := func(object, permission, subject string) string {
		return fmt.Sprintf(`{"object":%q,"permission":%q,"subject":%q}`, object, permission, subject)
	}
	op := func(op, tuple string) string {
		t.Helper()
		return fmt.Sprintf(`{"operations":[{"op":"touch","object":"group:new","relation":"member","subject":"user:new"},{"op":%q,%s}]}`, op, tuple)
	}
	tup := func(object, relation, subject string) string {
		return fmt.Sprintf(`"object":%q,"relation":%q,"subject":%q`, object, relation, subject)
	}
	schema := func(text string) string {
		return fmt.Sprintf(`{"files":[{"name":"main.pemba","text":%q}]}`, text)
	}
	tests := []struct {
		name, route, body string
		headers           []string
		status            int
		code              api.Code
		place             string // of the first fault
		mentions          string
	}{
		{"no such route", "POST /v1/stores/acme/chek", "{}", nil, 404, api.UnknownRoute, "", "/v1/stores/acme/chek"},
		{"no such method", "GET /v1/stores/acme/check", "", nil, 405, api.MethodNotAllowed, "", "POST"},
		{"no such store", "POST /v1/stores/nobody/check", ask("document:a", "view", "user:ana"), nil, 404, api.UnknownStore, "", "nobody"},
		{"bad store name", "PUT /v1/stores/a%20b", "", nil, 400, api.InvalidStoreName, "", "a b"},
		{"store to delete", "DELETE /v1/stores/nobody", "", nil, 404, api.UnknownStore, "", "nobody"},
		{"form", check, "object=document:a", []string{"Content-Type: application/x-www-form-urlencoded"}, 415, api.UnsupportedMediaType, "", "application/json"},
		{"charset", check, "{}", []string{"Content-Type: application/json; charset=latin1"}, 415, api.UnsupportedMediaType, "", "latin1"},
		{"too large", check, `{"object":"` + strings.Repeat("x", 70_000) + `"}`, nil, 413, api.BodyTooLarge, "", "65536"},
		{"malformed", check, `{"object":}`, nil, 400, api.MalformedJSON, ":1:11", "line 1, column 11"},
		{"member twice", check, `{"object":"document:a","object":"document:b"}`, nil, 400, api.DuplicateMember, ":1:24", "object"},
		{"mistyped member", check, `{"object":"document:a","permision":"view","permission":"view","subject":"user:ana"}`, nil, 400, api.UnknownMember, "/permision", "permission"},
		{"another case", check, `{"object":"document:a","permission":"view","subject":"user:ana","Subject":"user:root"}`, nil, 400, api.UnknownMember, "/Subject", "subject"},
		{"missing member", check, `{"object":"document:a","permission":"view"}`, nil, 400, api.MissingMember, "/subject", "subject"},
		{"bad object", check, ask("document", "view", "user:ana"), nil, 400, api.InvalidValue, "/object", "type:id"},
		{"wildcard object", check, ask("document:*", "view", "user:ana"), nil, 400, api.InvalidValue, "/object", "wildcard"},
		{"bad subject", check, ask("document:a", "view", "user:ana#"), nil, 400, api.InvalidValue, "/subject", "name"},
		{"long id", check, ask("document:"+strings.Repeat("x", 1025), "view", "user:ana"), nil, 400, api.InvalidValue, "/object", "1024"},
		{"unknown type", check, ask("dokument:a", "view", "user:ana"), nil, 422, api.UnknownType, "/object", `did you mean "document"?`},
		{"unknown permission", check, ask("document:a", "veiw", "user:ana"), nil, 422, api.UnknownRelation, "/permission", `did you mean "view"?`},
		{"unknown subject type", check, ask("document:a", "view", "usr:ana"), nil, 422, api.UnknownType, "/subject", `did you mean "user"?`},
		{"unknown subject relation", check, ask("document:a", "view", "group:eng#members"), nil, 422, api.UnknownRelation, "/subject", `did you mean "member"?`},
		{"two consistencies", check, `{"object":"document:a","permission":"view","subject":"user:ana","consistency":{"minimize_latency":{},"fully_consistent":{}}}`, nil, 400, api.InvalidValue, "/consistency", "exactly one"},
		{"no consistency", check, `{"object":"document:a","permission":"view","subject":"user:ana","consistency":{}}`, nil, 400, api.InvalidValue, "/consistency", "exactly one"},
		{"bad token", check, `{"object":"document:a","permission":"view","subject":"user:ana","consistency":{"at_least_as_fresh":{"token":"x"}}}`, nil, 400, api.InvalidToken, "/consistency/at_least_as_fresh/token", "token"},
		{"token of another cluster", check, `{"object":"document:a","permission":"view","subject":"user:ana","consistency":{"at_exact_snapshot":{"token":"` + foreignToken(t) + `"}}}`, nil, 400, api.ForeignToken, "/consistency/at_exact_snapshot/token", "cluster"},
		{"bad context", check, `{"object":"document:a","permission":"view","subject":"user:ana","context":7}`, nil, 400, api.WrongType, "/context", "object"},
		{"context of a wrong type", check, `{"object":"document:secret","permission":"view","subject":"user:ana","context":{"ip":"no address"}}`, nil, 422, api.ConditionFailed, "", "from_office"},
		{"bad contextual tuple", check, `{"object":"document:a","permission":"view","subject":"user:ana","contextual_tuples":[{"object":"document:a","relation":"view","subject":"user:ana"}]}`, nil, 422, api.NotARelation, "/contextual_tuples/0/relation", "permission"},
		{"sealed contextual tuple", check, `{"object":"document:a","permission":"view","subject":"user:ana","contextual_tuples":[{"object":"group:everyone","relation":"member","subject":"user:ana"}]}`, nil, 422, api.Sealed, "/contextual_tuples/0/object", "sealed"},
		{"contextual tuple past at most", check, `{"object":"document:a","permission":"view","subject":"user:ana","contextual_tuples":[{"object":"document:readme","relation":"owner","subject":"user:ana"}]}`, nil, 422, api.InvalidTuple, "/contextual_tuples/0", "at most"},
		{"empty batch item", "POST /v1/stores/acme/check/batch", `{"checks":[{}]}`, nil, 400, api.MissingMember, "/checks/0/object", "object"},
		{"page too large", "POST /v1/stores/acme/tuples/read", `{"limit":10001}`, nil, 400, api.InvalidValue, "/limit", "10000"},
		{"negative page", "POST /v1/stores/acme/tuples/read", `{"limit":-1}`, nil, 400, api.InvalidValue, "/limit", "10000"},
		{"bad cursor", "POST /v1/stores/acme/tuples/read", `{"cursor":"x"}`, nil, 400, api.InvalidCursor, "/cursor", "cursor"},
		{"lookup of an unknown type", "POST /v1/stores/acme/lookup/objects", `{"object_type":"dokument","permission":"view","subject":"user:ana"}`, nil, 422, api.UnknownType, "/object_type", "document"},
		{"lookup of an unknown subject type", "POST /v1/stores/acme/lookup/subjects", `{"object":"document:a","permission":"view","subject_type":"usr"}`, nil, 422, api.UnknownType, "/subject_type", "user"},
		{"lookup of unknown permissions", "POST /v1/stores/acme/lookup/permissions", `{"object":"dokument:a","subject":"user:ana"}`, nil, 422, api.UnknownType, "/object", "document"},

		{"nothing to write", write, `{"operations":[]}`, nil, 400, api.InvalidValue, "/operations", "nothing"},
		{"unknown operation", write, op("upsert", tup("group:g", "member", "user:ana")), nil, 400, api.InvalidValue, "/operations/1/op", "touch"},
		{"bad tuple", write, op("touch", tup("group", "member", "user:ana")), nil, 400, api.InvalidValue, "/operations/1/object", "type:id"},
		{"tuple twice", write, op("delete", tup("group:new", "member", "user:new")), nil, 400, api.DuplicateTuple, "/operations/1", "operation 0"},
		{"unknown type written", write, op("touch", tup("grup:g", "member", "user:ana")), nil, 422, api.UnknownType, "/operations/1", "group"},
		{"unknown relation written", write, op("touch", tup("group:g", "membr", "user:ana")), nil, 422, api.UnknownRelation, "/operations/1", "member"},
		{"permission written", write, op("touch", tup("document:a", "view", "user:ana")), nil, 422, api.NotARelation, "/operations/1", "permission"},
		{"subject not admitted", write, op("touch", tup("document:a", "viewer", "group:eng")), nil, 422, api.SubjectNotAdmitted, "/operations/1", "group:eng"},
		{"userset not admitted", write, op("touch", tup("document:a", "owner", "group:eng#member")), nil, 422, api.SubjectNotAdmitted, "/operations/1", "group:eng#member"},
		{"wildcard not admitted", write, op("touch", tup("group:g", "member", "user:*")), nil, 422, api.SubjectNotAdmitted, "/operations/1", "user:*"},
		{"sealed", write, op("touch", tup("group:everyone", "member", "user:ana")), nil, 422, api.Sealed, "/operations/1", "group:everyone"},
		{"another singleton", write, op("touch", tup("system:other", "admin", "user:ana")), nil, 422, api.Singleton, "/operations/1", "system:main"},
		{"at most", write, op("touch", tup("document:readme", "owner", "user:ana")), nil, 409, api.AtMost, "/operations/1", "document:readme"},
		{"created twice", write, op("create", tup("group:eng", "member", "user:ana")), nil, 409, api.TupleExists, "/operations/1", "group:eng"},
		{"unknown condition", write, op("touch", tup("document:a", "viewer", "user:ana")+`,"condition":{"name":"from_ofice"}`), nil, 422, api.UnknownCondition, "/operations/1", "from_office"},
		{"unknown key of a context", write, op("touch", tup("document:a", "viewer", "user:ana")+`,"condition":{"name":"from_office","context":{"cird":"x"}}`), nil, 422, api.ContextUnknownKey, "/operations/1", "cidr"},
		{"type of a context", write, op("touch", tup("document:a", "viewer", "user:ana")+`,"condition":{"name":"from_office","context":{"cidr":7}}`), nil, 422, api.ContextType, "/operations/1", "cidr"},
		{"expiry not admitted", write, op("touch", tup("group:g", "member", "user:ana")+`,"expires":"2200-01-01T00:00:00Z"`), nil, 422, api.ExpiryNotAdmitted, "/operations/1", "expiry"},
		{"bad expiry", write, op("touch", tup("group:g", "member", "user:ana")+`,"expires":"tomorrow"`), nil, 400, api.InvalidValue, "/operations/1/expires", "RFC 3339"},
		{"failed precondition", write, `{"operations":[{"op":"touch","object":"group:new","relation":"member","subject":"user:new"}],"preconditions":[{"must":"not_match","filter":{"object":"group:eng"}}]}`, nil, 412, api.PreconditionFailed, "/preconditions/0", ""},
		{"unknown demand", write, `{"operations":[{"op":"touch","object":"group:new","relation":"member","subject":"user:new"}],"preconditions":[{"must":"be","filter":{}}]}`, nil, 400, api.InvalidValue, "/preconditions/0/must", "not_match"},
		{"unchanged since when", write, `{"operations":[{"op":"touch","object":"group:new","relation":"member","subject":"user:new"}],"preconditions":[{"must":"unchanged","filter":{}}]}`, nil, 400, api.InvalidToken, "/preconditions/0/since", "token"},
		{"bad idempotency key", write, op("touch", tup("group:g", "member", "user:ana")), []string{"Idempotency-Key: a b"}, 400, api.InvalidValue, "", "Idempotency-Key"},
		{"no schema", "POST /v1/stores/bare/tuples/write", op("touch", tup("group:g", "member", "user:ana")), nil, 422, api.NoSchema, "/operations/0", "schema"},
		{"question without a schema", "POST /v1/stores/bare/check", ask("document:a", "view", "user:ana"), nil, 422, api.NoSchema, "", "schema"},

		{"delete everything by mistake", remove, `{"filter":{}}`, nil, 400, api.InvalidValue, "/all", "every tuple"},
		{"deletion of an unknown type", remove, `{"filter":{"object_type":"documnt"}}`, nil, 422, api.UnknownType, "", `did you mean document?`},
		{"deletion of an unknown relation", remove, `{"filter":{"object":"document:readme","relation":"viewr"}}`, nil, 422, api.UnknownRelation, "", `did you mean viewer?`},
		{"deletion of a permission", remove, `{"filter":{"object_type":"document","relation":"view"}}`, nil, 422, api.NotARelation, "", "permission"},
		{"reading an unknown type", "POST /v1/stores/acme/tuples/read", `{"filter":{"object":"documnt:a"}}`, nil, 422, api.UnknownType, "/filter/object", "document"},
		{"reading an unknown relation", "POST /v1/stores/acme/tuples/read", `{"filter":{"relation":"viewr"}}`, nil, 422, api.UnknownRelation, "/filter/relation", "viewer"},
		{"reading an unknown subject", "POST /v1/stores/acme/tuples/read", `{"filter":{"subject":"group:g#membr"}}`, nil, 422, api.UnknownRelation, "/filter/subject", "member"},
		{"a precondition on an unknown type", write, `{"operations":[{"op":"touch","object":"group:new","relation":"member","subject":"user:new"}],"preconditions":[{"must":"not_match","filter":{"object_type":"grup"}}]}`, nil, 422, api.UnknownType, "", "precondition 0"},
		{"bad filter", remove, `{"filter":{"subject":"ana"}}`, nil, 400, api.InvalidValue, "/filter/subject", "type:id"},

		{"schema with errors", put, schema("pemba 1\ntype user\ntype document {\n  relation viewer: [usr]\n  permission view = viewr\n}\n"), nil, 422, api.InvalidSchema, "main.pemba:4:21", "user"},
		{"schema as text", put, "type", []string{"Content-Type: text/plain"}, 422, api.InvalidSchema, "schema.pemba:1:1", ""},
		{"no files", put, `{"files":[]}`, nil, 400, api.InvalidValue, "/files", "at least one"},
		{"file twice", put, `{"files":[{"name":"a","text":"pemba 1"},{"name":"a","text":""}]}`, nil, 400, api.InvalidValue, "/files/1/name", "twice"},
		{"unknown dialect", put, `{"files":[{"name":"a","text":"pemba 1"}],"dialect":"cedar"}`, nil, 400, api.InvalidValue, "/dialect", "openfga"},
		{"unknown orphans", put, `{"files":[{"name":"a","text":"pemba 1"}],"orphans":"keep"}`, nil, 400, api.InvalidValue, "/orphans", "ignore"},
		{"orphans", put, schema("pemba 1\ntype user\n"), nil, 409, api.OrphanedTuples, "", "group#member@user"},
		{"If-Match", put, schema("pemba 1\ntype user\n"), []string{`If-Match: "` + strings.Repeat("0", 64) + `"`}, 412, api.SchemaChanged, "", "schema"},
		{"If-Match of another", put, schema("pemba 1\ntype user\n"), []string{`If-Match: "` + strings.Repeat("1", 64) + `"`}, 412, api.SchemaChanged, "", "schema"},
		{"If-Match malformed", put, schema("pemba 1\ntype user\n"), []string{`If-Match: W/"x"`}, 412, api.SchemaChanged, "", "If-Match"},
		{"If-None-Match", put, schema("pemba 1\ntype user\n"), []string{"If-None-Match: *"}, 412, api.SchemaChanged, "", "schema"},
		{"foreign model with errors", put, `{"files":[{"name":"model.fga","text":"model\n  schema 1.1\ntype document\n  relations\n    define viewer: [usr]\n"}],"dialect":"openfga"}`, nil, 422, api.InvalidSchema, "model.fga:5:21", "usr"},
		{"unknown member of the cluster", "DELETE /v1/cluster/members/nobody", "", nil, 404, api.UnknownNode, "", ""},
		{"the last member of the cluster", "DELETE /v1/cluster/members/" + w.node.Status().NodeID, "", nil, 409, api.LastMember, "", "stop the node"},
	}
	if _, err := w.client.PutStore(t.Context(), "bare"); err != nil {
		t.Fatal(err)
	}
	before := w.everything()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := w.send(test.route, test.body, test.headers...)
			if got.problem == nil {
				t.Fatalf("got %d %s, want the problem %s", got.status, got.body, test.code)
			}
			place := ""
			if len(got.problem.Errors) > 0 {
				place = got.problem.Errors[0].Place()
			}
			if got.status != test.status || got.problem.Status != test.status || got.problem.Code != test.code || place != test.place {
				t.Errorf("got %d %s at %q, want %d %s at %q\n%s", got.status, got.problem.Code, place, test.status, test.code, test.place, got.body)
			}
			if !strings.Contains(got.body, strings.Trim(fmt.Sprintf("%q", test.mentions), `"`)) {
				t.Errorf("%s does not mention %s", got.body, test.mentions)
			}
			if got.problem.Type != "urn:pemba:problem:"+string(test.code) || got.problem.Title == "" || got.problem.Detail == "" {
				t.Errorf("the document is not complete: %s", got.body)
			}
		})
	}
	if after := w.everything(); after != before {
		t.Errorf("something was written: before\n%s\nafter\n%s", before, after)
	}
}

func foreignToken(t *testing.T) string {
	t.Helper()
	w := empty(t, server.Config{})
	made, err := w.client.PutStore(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	return string(made.Token)
}
