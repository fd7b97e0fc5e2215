package server

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
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

// What the readers of package body take, the general decoder reads alike: a body
// has one meaning.
func FuzzReadBody(f *testing.F) {
	for _, text := range []string{
		`{"object":"document:readme","permission":"view","subject":"user:ana"}`,
		` { "subject" : "user:ana" , "object" : "döcument:readme","permission":"view", "consistency" : { "at_least_as_fresh" : { "token" : "x" } } } ` + "\n",
		`{"object":"a:b","permission":"view","subject":"user:ana","consistency":{"fully_consistent":{}}}`,
		`{"object":"a:b","permission":"view","subject":"user:ana","consistency":{"minimize_latency":{},"minimize_latency":{}}}`,
		`{"object":"a:b","permission":"view","subject":"user:ana","consistency":{"at_exact_snapshot":{"token":""}}}`,
		`{"object":"a:b","permission":"view","subject":"user:ana","object":"a:c"}`,
		`{"object":"a:\u0062","permission":"view","subject":"user:ana"}`,
		`{"checks":[{"object":"a:b","permission":"view","subject":"user:ana"},{"object":"a:c","permission":"edit","subject":"user:bob"}]}`,
		`{"checks":[],"consistency":{"minimize_latency":{}}}`,
		`{"checks":[{"object":"a:b","permission":"view","subject":"user:ana","context":{}}]}x`,
		"{\"object\":\"a:\xff\",\"permission\":\"view\",\"subject\":\"user:ana\"}",
	} {
		f.Add(text)
	}
	reused := api.BatchRequest{Checks: []api.Question{{Object: "left:over", Permission: "from", Subject: "be:fore", Brought: api.Brought{Context: api.Context(`{}`)}}}}
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := body.ReadCheck(text); ok {
			var want api.CheckRequest
			if err := decodeStrict([]byte(text), 64, &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\ngot  %+v\nwant %+v, %v", text, got, want, err)
			}
		}
		if body.ReadBatch(text, &reused) {
			var want api.BatchRequest
			if err := decodeStrict([]byte(text), 64, &want); err != nil || !reflect.DeepEqual(reused, want) {
				t.Errorf("%s\ngot  %+v\nwant %+v, %v", text, reused, want, err)
			}
		}
	})
}

// The plain form of a request is read by hand; everything else is not.
func TestPlainBodies(t *testing.T) {
	const good = `{"object":"document:readme","permission":"view","subject":"user:ana"}`
	for text, want := range map[string]bool{
		good:              true,
		" " + good + "\n": true,
		strings.Replace(good, "}", `,"consistency":{"at_least_as_fresh":{"token":"x"}}}`, 1):       true,
		strings.Replace(good, "}", `,"consistency":{"at_least_as_fresh":{"token":"x","a":1}}}`, 1): false,
		strings.Replace(good, "}", `,"consistency":{}}`, 1):                                        true,
		strings.Replace(good, "}", `,"consistency":null}`, 1):                                      false,
		strings.Replace(good, "}", `,"context":{}}`, 1):                                            false,
		strings.Replace(good, "}", `,"subject":"user:bob"}`, 1):                                    false,
		strings.Replace(good, "subject", "SUBJECT", 1):                                             false,
		strings.Replace(good, "ana", `\u0061na`, 1):                                                false,
		strings.Replace(good, "ana", "\xff", 1):                                                    false,
		strings.Replace(good, `"user:ana"`, "1", 1):                                                false,
		good + good:                            false,
		good[:len(good)-1]:                     false,
		good[:len(good)-1] + ",}":              false,
		"[" + good + "]":                       false,
		`{"object":"a:b","permission":"view"}`: false,
		"":                                     false,
	} {
		if _, ok := body.ReadCheck(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
		var batch api.BatchRequest
		if ok := body.ReadBatch(`{"checks":[`+text+`]}`, &batch); ok && !want && text != "" {
			t.Errorf("%q is taken in a batch", text)
		}
	}
}
