package server

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/server/api"
)

func TestDecodeStrict(t *testing.T) {
	const good = `{"object":"document:readme","permission":"view","subject":"user:ana"}`
	tests := []struct {
		name, body string
		out        any
		want       []string // code pointer, one per fault; the problem's code alone where it has none
	}{
		{"good", good, &api.CheckRequest{}, nil},
		{"white space around", " \n" + good + "\n ", &api.CheckRequest{}, nil},
		{"empty", " ", &api.CheckRequest{}, []string{"malformed_json"}},
		{"two values", good + good, &api.CheckRequest{}, []string{"malformed_json"}},
		{"text behind", good + "x", &api.CheckRequest{}, []string{"malformed_json"}},
		{"cut", good[:len(good)-1], &api.CheckRequest{}, []string{"malformed_json "}},
		{"not an object", `[1]`, &api.CheckRequest{}, []string{"wrong_type "}},
		{"null", `null`, &api.CheckRequest{}, []string{"wrong_type "}},
		{"member twice", `{"object":"a:b","object":"a:c"}`, &api.CheckRequest{}, []string{"duplicate_member /object"}},
		{"member twice in a context", `{"context":{"a":1,"a":2}}`, &api.CheckRequest{}, []string{"duplicate_member /context/a"}},
		{"another case", strings.Replace(good, "subject", "SUBJECT", 1), &api.CheckRequest{}, []string{"unknown_member /SUBJECT", "missing_member /subject"}},
		{"bad UTF-8", "{\"object\":\"a:\xff\"}", &api.CheckRequest{}, []string{"malformed_json /object"}},
		{"half a surrogate pair", `{"object":"a:\ud800"}`, &api.CheckRequest{}, []string{"malformed_json /object"}},
		{"several faults", `{"object":1,"permision":"view","at":"yesterday"}`, &api.CheckRequest{},
			[]string{"wrong_type /object", "unknown_member /permision", "invalid_value /at", "missing_member /permission", "missing_member /subject"}},
		{"null member", `{"object":null,"permission":"view","subject":"user:ana"}`, &api.CheckRequest{}, []string{"wrong_type /object"}},
		{"null consistency", strings.Replace(good, "}", `,"consistency":null}`, 1), &api.CheckRequest{}, []string{"wrong_type /consistency"}},
		{"context is a list", strings.Replace(good, "}", `,"context":[]}`, 1), &api.CheckRequest{}, []string{"wrong_type /context"}},
		{"fraction", `{"limit":1.5}`, &api.ReadRequest{}, []string{"wrong_type /limit"}},
		{"too large a number", `{"limit":99999999999999999999}`, &api.ReadRequest{}, []string{"wrong_type /limit"}},
		{"nested", `{"operations":[{"op":"touch","object":"a:b","relation":"r","subject":"a:b"},{"op":"touch","tuple":{}}]}`, &api.WriteRequest{},
			[]string{"unknown_member /operations/1/tuple", "missing_member /operations/1/object", "missing_member /operations/1/relation", "missing_member /operations/1/subject"}},
		{"members of no members", strings.Replace(good, "}", `,"consistency":{"fully_consistent":{"x":1}}}`, 1), &api.CheckRequest{},
			[]string{"unknown_member /consistency/fully_consistent/x"}},
		{"escaped pointer", `{"a/b~":1}`, &api.QuarantinedRequest{}, []string{"unknown_member /a~1b~0"}},
		{"deep", `{"context":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70) + `}`, &api.CheckRequest{},
			[]string{"too_many /context" + strings.Repeat("/a", 63)}},
		{"very deep", strings.Repeat(`[`, 1<<20), &api.CheckRequest{}, []string{"too_many " + strings.Repeat("/0", 64)}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := decodeStrict([]byte(test.body), 64, test.out)
			if got := faultPlaces(err); !reflect.DeepEqual(got, test.want) {
				t.Fatalf("got %q, want %q (%v)", got, test.want, err)
			}
			if err != nil && !reflect.ValueOf(test.out).Elem().IsZero() {
				t.Errorf("a refused body left %+v behind", test.out)
			}
		})
	}
}

func faultPlaces(err error) []string {
	problem := api.AsProblem(err)
	if problem == nil {
		if err != nil {
			return []string{err.Error()}
		}
		return nil
	}
	if len(problem.Errors) == 0 {
		return []string{string(problem.Code)}
	}
	var out []string
	for _, f := range problem.Errors {
		out = append(out, string(f.Code)+" "+f.Pointer)
	}
	return out
}

func TestNearMiss(t *testing.T) {
	err := decodeStrict([]byte(`{"objekt":"document:readme","permission":"view","subject":"user:ana"}`), 64, &api.CheckRequest{})
	problem := api.AsProblem(err)
	if problem == nil || len(problem.Errors) == 0 || problem.Errors[0].Suggestion != `did you mean "object"?` {
		t.Errorf("got %v, want a suggestion of object", err)
	}
}

// What decodeStrict takes, it must have understood: the shape and the decoder
// agree, and nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"object":"document:readme","permission":"view","subject":"user:ana","context":{"a":[1,null]},"at":"2030-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"operations":[{"op":"create","object":"a:b","relation":"r","subject":"c:*","expires":"2030-01-01T00:00:00Z","condition":{"name":"c","context":{}}}],"preconditions":[{"must":"match","filter":{}}]}`))
	f.Add([]byte(`{"files":[{"name":"a","text":"b"}],"orphans":"delete","dialect":"openfga"}`))
	f.Add([]byte(`{"consistency":{"at_least_as_fresh":{"token":"x"}},"limit":3,"cursor":"y","filter":{"subject":"user:ana"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, out := range []any{&api.CheckRequest{}, &api.BatchRequest{}, &api.WriteRequest{}, &api.DeleteRequest{}, &api.ReadRequest{},
			&api.ExpandRequest{}, &api.LookupObjectsRequest{}, &api.LookupSubjectsRequest{}, &api.PutSchemaRequest{}} {
			err := decodeStrict(body, 64, out)
			if err != nil && api.AsProblem(err) == nil {
				t.Fatalf("%T: %v is no problem document", out, err)
			}
			if problem := api.AsProblem(err); problem != nil && (problem.Status < 400 || problem.Status > 499) {
				t.Fatalf("%T: a bad body has status %d", out, problem.Status)
			}
			if write, ok := out.(*api.WriteRequest); ok && err == nil {
				for _, o := range write.Operations {
					if tup, faults := o.Tuple.Tuple(); len(faults) == 0 {
						if again, faults := api.FromTuple(tup).Tuple(); len(faults) > 0 || fmt.Sprint(again) != fmt.Sprint(tup) {
							t.Fatalf("%v came back as %v (%v)", tup, again, faults)
						}
					}
				}
			}
		}
	})
}
