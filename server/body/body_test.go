package body_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// texts are strings that JSON has views on.
var texts = []string{"", "document:readme", `a"b`, `a\b`, "a\nb", "a\x00b", "a\x7fb", "ü", "日本:語", "\u2028", "<&>", "\xff", "a\xed\xa0\x80", "😀", "/"}

func instants() []time.Time {
	return []time.Time{{}, time.Unix(1, 0).UTC(), time.Unix(1_700_000_000, 1).UTC(), time.Unix(1_700_000_000, 120_000_000).UTC(),
		time.Date(2553, 12, 31, 23, 59, 59, 999_999_999, time.UTC)}
}

// same holds what was written by hand to what the general encoder writes.
func same(t *testing.T, value any, got []byte, ok bool) {
	t.Helper()
	want, err := json.Marshal(value, json.Deterministic(true))
	if ok && err != nil {
		t.Errorf("%+v: wrote %s, and the general encoder refuses: %v", value, got, err)
	}
	if ok && string(got) != string(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRequestsAreWrittenAlike(t *testing.T) {
	moments := []api.Moment{{}, {Consistency: api.MinimizeLatency()}, {Consistency: api.FullyConsistent()}, {Consistency: &api.Consistency{}},
		{At: time.Unix(1, 0)}, {Consistency: &api.Consistency{AtLeastAsFresh: &api.AtRevision{Token: "a"}, FullyConsistent: &struct{}{}}}}
	for _, text := range texts {
		moments = append(moments, api.Moment{Consistency: api.AtLeastAsFresh(tuple.Token(text))}, api.Moment{Consistency: api.AtExactSnapshot(tuple.Token(text))})
	}
	questions := []api.Question{{Object: "a:b", Permission: "c", Subject: "d:e", Brought: api.Brought{Context: api.Context(`{"a":1}`)}},
		{Object: "a:b", Permission: "c", Subject: "d:e", Brought: api.Brought{Context: api.Context{}, ContextualTuples: []api.Tuple{}}},
		{Brought: api.Brought{ContextualTuples: []api.Tuple{{Object: "a:b"}}}}}
	for i, text := range texts {
		questions = append(questions, api.Question{Object: text, Permission: texts[(i+1)%len(texts)], Subject: texts[(i+2)%len(texts)]})
	}
	plain := 0
	for _, moment := range moments {
		for _, q := range questions {
			check := api.CheckRequest{Question: q, Moment: moment}
			got, ok := body.AppendCheck(nil, &check)
			same(t, check, got, ok)
			if ok {
				plain++
			}
		}
		batch := api.BatchRequest{Checks: questions[3:], Moment: moment}
		for _, checks := range [][]api.Question{{}, questions[4:6], questions[3:], questions} {
			batch.Checks = checks
			got, ok := body.AppendBatch(nil, &batch)
			same(t, batch, got, ok)
		}
	}
	if plain < 50 {
		t.Errorf("only %d requests were written by hand", plain)
	}
}

func TestAnswersAreWrittenAlike(t *testing.T) {
	var all []api.BatchResult
	for _, at := range instants() {
		for _, text := range texts {
			for _, missing := range [][]string{nil, {}, {text}, {"a", text, "b"}} {
				response := api.CheckResponse{Answer: api.Answer{Allowed: len(missing) == 0, Result: api.Conditional, Missing: missing},
					Evaluated: api.Evaluated{Token: "AAAA.b-_9", EvaluatedAt: at}}
				got, err := body.AppendCheckResponse(nil, &response)
				want, wantErr := json.Marshal(response, json.Deterministic(true))
				if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
					t.Errorf("got  %s %v\nwant %s %v", got, err, want, wantErr)
				}
				if err == nil {
					all = append(all, api.BatchResult{Answer: &response.Answer}, api.BatchResult{Problem: api.NewProblem(api.UnknownType, text)})
				}
			}
		}
	}
	for _, results := range [][]api.BatchResult{{}, all[:1], all[:2], all} {
		response := api.BatchResponse{Results: results, Evaluated: api.Evaluated{Token: "t", EvaluatedAt: instants()[2]}}
		got, err := body.AppendBatchResponse(nil, &response)
		want, wantErr := json.Marshal(response, json.Deterministic(true))
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != string(want) {
			t.Errorf("got  %s %v\nwant %s %v", got, err, want, wantErr)
		}
	}
}

// What the readers of answers take, the general decoder reads alike.
func FuzzReadResponse(f *testing.F) {
	f.Add(`{"allowed":true,"result":"allowed","missing":[],"token":"AA.b","evaluated_at":"2026-01-01T12:00:00.5Z"}`)
	f.Add(` { "missing" : [ "a" , "b" ] , "result" : "conditional", "allowed":false,"token":"","evaluated_at":"2026-01-01T12:00:00Z" } `)
	f.Add(`{"results":[{"answer":{"allowed":true,"result":"allowed","missing":[]}},{"answer":{"allowed":false,"result":"denied","missing":[]}}],"token":"t","evaluated_at":"2026-01-01T12:00:00Z"}`)
	f.Add(`{"results":[],"token":"t","evaluated_at":"2026-02-30T12:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := body.ReadCheckResponse(text); ok {
			var want api.CheckResponse
			if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\ngot  %+v\nwant %+v, %v", text, got, want, err)
			}
		}
		if got, ok := body.ReadBatchResponse(text); ok {
			var want api.BatchResponse
			if err := json.Unmarshal([]byte(text), &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\ngot  %+v\nwant %+v, %v", text, got, want, err)
			}
		}
	})
}

// What the server writes is what the client reads by hand.
func TestAnswersAreRead(t *testing.T) {
	check := api.CheckResponse{Answer: api.Answer{Result: api.Conditional, Missing: []string{"ip", "now"}}, Evaluated: api.Evaluated{Token: "t", EvaluatedAt: instants()[3]}}
	text, err := body.AppendCheckResponse(nil, &check)
	if got, ok := body.ReadCheckResponse(string(text) + "\n"); err != nil || !ok || !reflect.DeepEqual(got, check) {
		t.Errorf("%s was read as %+v, %v", text, got, ok)
	}
	batch := api.BatchResponse{Results: []api.BatchResult{{Answer: &check.Answer}, {Answer: &api.Answer{Allowed: true, Result: api.Allowed, Missing: []string{}}}}, Evaluated: check.Evaluated}
	text, err = body.AppendBatchResponse(nil, &batch)
	if got, ok := body.ReadBatchResponse(string(text)); err != nil || !ok || !reflect.DeepEqual(got, batch) {
		t.Errorf("%s was read as %+v, %v", text, got, ok)
	}
}

func BenchmarkReadCheck(b *testing.B) {
	const text = `{"object":"document:123456","permission":"view","subject":"user:123456"}`
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := body.ReadCheck(text); !ok {
			b.Fatal("not taken")
		}
	}
}

func alike[T any](t *testing.T, write func([]byte, *T) ([]byte, error), value T) {
	t.Helper()
	got, err := write([]byte("["), &value)
	want, wantErr := json.Marshal(value, json.Deterministic(true))
	if (err == nil) != (wantErr == nil) || err == nil && string(got) != "["+string(want) {
		t.Errorf("got  %s %v\nwant [%s %v", got, err, want, wantErr)
	}
}

func TestListsAreWrittenAlike(t *testing.T) {
	for _, text := range texts {
		for _, missing := range [][]string{nil, {}, {text}} {
			alike(t, body.AppendFoundObject, api.FoundObject{Object: text, Result: api.Allowed, Missing: missing})
			alike(t, body.AppendFoundSubject, api.FoundSubject{Subject: text, Result: api.Excluded, Missing: missing})
		}
		for _, at := range instants() {
			alike(t, body.AppendTuple, api.Tuple{Object: text, Relation: "r", Subject: "a:b", Expires: at})
			alike(t, body.AppendTuple, api.Tuple{Object: "a:b", Relation: text, Subject: "a:b", Condition: &api.Condition{Name: text}})
			alike(t, body.AppendTuple, api.Tuple{Object: "a:b", Relation: "r", Subject: text})
		}
	}
	evaluated := api.Evaluated{Token: "t", EvaluatedAt: instants()[2]}
	for _, cursor := range []string{"", "abc-_"} {
		want := api.LookupObjectsResponse{Objects: []api.FoundObject{{Object: "a:b", Result: api.Allowed}, {Object: "a:c", Result: api.Conditional}}, Cursor: cursor, Evaluated: evaluated}
		alike(t, func(b []byte, r *api.LookupObjectsResponse) (_ []byte, err error) {
			b = append(b, `{"objects":[`...)
			for i := range r.Objects {
				if i > 0 {
					b = append(b, ',')
				}
				if b, err = body.AppendFoundObject(b, &r.Objects[i]); err != nil {
					return nil, err
				}
			}
			return body.AppendListEnd(b, r.Cursor, &r.Evaluated), nil
		}, want)
	}
}
