package server

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/server/api"
)

// document is the part of openapi.json that can be compared.
type document struct {
	Paths      map[string]map[string]struct{} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{} `json:"properties"`
			Required   []string            `json:"required"`
		} `json:"schemas"`
	} `json:"components"`
}

func readDocument(t *testing.T) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(openapiDocument, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestOpenAPIListsTheRoutes(t *testing.T) {
	s := &Server{mux: http.NewServeMux(), metrics: newMetrics()}
	s.routes()
	var described []string
	for path, methods := range readDocument(t).Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(described)
	routes := slices.Sorted(slices.Values(s.patterns))
	if !slices.Equal(described, routes) {
		t.Errorf("openapi.json describes\n%s\nthe routes are\n%s", strings.Join(described, "\n"), strings.Join(routes, "\n"))
	}
}

// every type that a body is made of
var bodies = []any{api.CheckRequest{}, api.CheckResponse{}, api.BatchRequest{}, api.BatchResponse{}, api.BatchResult{}, api.ExplainResponse{},
	api.Step{}, api.ConditionStep{}, api.ExpandRequest{}, api.ExpandResponse{}, api.Userset{}, api.Leaf{}, api.Actor{}, api.LookupObjectsRequest{}, api.LookupObjectsResponse{},
	api.FoundObject{}, api.LookupSubjectsRequest{}, api.LookupSubjectsResponse{}, api.FoundSubject{}, api.LookupPermissionsRequest{},
	api.LookupPermissionsResponse{}, api.FoundPermission{}, api.Tuple{}, api.Condition{}, api.Filter{}, api.Consistency{}, api.AtRevision{},
	api.ReadRequest{}, api.ReadResponse{}, api.Operation{}, api.Precondition{}, api.WriteRequest{}, api.WriteResponse{}, api.DeleteRequest{},
	api.QuarantinedRequest{}, api.DeleteQuarantinedRequest{}, api.QuarantinedResponse{}, api.SchemaFile{}, api.SchemaSource{}, api.PutSchemaRequest{}, api.PutSchemaResponse{},
	api.SchemaResponse{}, api.SchemaVersion{}, api.SchemaVersionsResponse{}, api.ValidateSchemaResponse{}, api.DiffSchemaRequest{}, api.DiffSchemaResponse{}, api.SchemaChange{}, api.Orphan{}, api.Flip{}, api.Regression{}, api.Store{}, api.PutStoreRequest{}, api.PutStoreResponse{},
	api.StoresResponse{}, api.DeleteStoreResponse{}, api.Limits{}, api.Cluster{}, api.FeatureRequest{}, api.FeatureResponse{}, api.JoinTokenRequest{}, api.JoinTokenResponse{}, api.Member{}, api.VerifyResponse{}, api.VerifiedMember{}, api.VerifiedStore{}, api.Health{}, api.Problem{}, api.Fault{}, api.StreamEnd{},
	api.WatchLine{}, api.Event{}, api.TupleChange{}, api.Heartbeat{}}

func TestOpenAPIDescribesTheTypes(t *testing.T) {
	d := readDocument(t)
	for _, body := range bodies {
		typ := reflect.TypeOf(body)
		described, ok := d.Components.Schemas[typ.Name()]
		if !ok {
			t.Errorf("openapi.json lacks %s", typ.Name())
			continue
		}
		var names, required []string
		for _, m := range membersOf(typ) {
			names = append(names, m.name)
			if m.required {
				required = append(required, m.name)
			}
		}
		var properties []string
		for name := range described.Properties {
			properties = append(properties, name)
		}
		slices.Sort(properties)
		slices.Sort(names)
		if !slices.Equal(properties, names) {
			t.Errorf("%s has the members %v, openapi.json says %v", typ.Name(), names, properties)
		}
		slices.Sort(described.Required)
		slices.Sort(required)
		if !slices.Equal(described.Required, required) {
			t.Errorf("%s requires %v, openapi.json says %v", typ.Name(), required, described.Required)
		}
	}
}
