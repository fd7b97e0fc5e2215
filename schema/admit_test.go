package schema_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

const admitted = `pemba 1 refuse self_tuples

condition from_office(ip: ipaddress, cidrs: list<string>, limits: map<int>, note: any) { ip.in_cidr(cidrs[0]) && limits["a"] > 1 && note == 1 }
condition other(a: int) { a > 1 }

type user
singleton system:main { relation admin: [user] }
type group { relation member: [user | user:* | group#member] relation shadow: [group#member] }
type document {
  relation owner:   [user] at most 1
  relation viewer:  [user | user:* with from_office | group#member with from_office and expiry | user with other]
  relation maybe:   [user with expiry?]
  relation must:    [user with expiry]
  relation either:  [user with expiry | user with from_office]
  permission view = viewer or owner
}
sealed group:everyone#member = user:*
`

func TestAdmit(t *testing.T) {
	x := compile(t, admitted).Admission.Index()
	cases := []struct{ tuple, code, field, suggestion string }{
		{"document:a#owner@user:ana", "", "", ""},
		{"document:a#viewer@user:ana", "", "", ""},
		{"document:a#viewer@user:ana with other {\"a\":1}", "", "", ""},
		{"document:a#viewer@user:* with from_office", "", "", ""},
		{"document:a#viewer@group:g#member with from_office until 2030-01-01T00:00:00Z", "", "", ""},
		{"document:a#maybe@user:ana", "", "", ""},
		{"document:a#maybe@user:ana until 2030-01-01T00:00:00Z", "", "", ""},
		{"document:a#either@user:ana with from_office", "", "", ""},
		{"document:a#either@user:ana until 2030-01-01T00:00:00Z", "", "", ""},
		{"system:main#admin@user:ana", "", "", ""},
		{"group:g#shadow@group:g#member", "", "", ""},
		{`document:a#viewer@user:* with from_office {"ip":"10.0.0.1","cidrs":["10.0.0.0/8"],"limits":{"a":1},"note":{"x":[null]}}`, "", "", ""},

		{"documents:a#owner@user:ana", "unknown_type", "object", "did you mean document?"},
		{"document:a#ownr@user:ana", "unknown_relation", "relation", "did you mean owner?"},
		{"document:a#view@user:ana", "not_a_relation", "relation", "write one of the relations that it is computed from"},
		{"document:a#owner@usr:ana", "unknown_type", "subject", "did you mean user?"},
		{"document:a#viewer@group:g#membr", "unknown_relation", "subject", "did you mean member?"},
		{"document:a#owner@group:g#member", "subject_not_admitted", "subject", ""},
		{"document:a#owner@user:*", "subject_not_admitted", "subject", ""},
		{"document:a#owner@document:a#view", "subject_not_admitted", "subject", ""},
		{"document:a#viewer@group:g", "subject_not_admitted", "subject", ""},
		{"document:a#viewer@user:*", "condition_required", "condition", ""},
		{"document:a#owner@user:ana with from_office", "condition_not_admitted", "condition", ""},
		{"document:a#viewer@user:ana with from_ofice", "unknown_condition", "condition", "did you mean from_office?"},
		{"document:a#must@user:ana", "expiry_required", "expires", ""},
		{"document:a#viewer@group:g#member with from_office", "expiry_required", "expires", ""},
		{"document:a#owner@user:ana until 2030-01-01T00:00:00Z", "expiry_not_admitted", "expires", ""},
		{"document:a#either@user:ana", "expiry_required", "expires", ""},
		{"system:other#admin@user:ana", "singleton", "object", ""},
		{"group:everyone#member@user:ana", "sealed", "object", "change the schema's sealed declaration instead"},
		{"group:g#member@group:g#member", "self_tuple", "subject", ""},
		{`document:a#viewer@user:* with from_office {"ipp":"10.0.0.1"}`, "context_unknown_key", "context", "did you mean ip?"},
		{`document:a#viewer@user:* with from_office {"ip":"10.0.0"}`, "context_type", "context", ""},
		{`document:a#viewer@user:* with from_office {"cidrs":[1]}`, "context_type", "context", ""},
		{`document:a#viewer@user:* with from_office {"limits":{"a":1.5}}`, "context_type", "context", ""},
	}
	for _, c := range cases {
		t.Run(c.tuple, func(t *testing.T) {
			tup, err := tuple.Parse(c.tuple)
			if err != nil {
				t.Fatal(err)
			}
			r := x.Admit(tup)
			if r == nil {
				if c.code != "" {
					t.Fatalf("it was admitted, want %s", c.code)
				}
				return
			}
			if string(r.Code) != c.code || r.Field != c.field || r.Suggestion != c.suggestion {
				t.Errorf("got %s in %s (%s), want %s in %s (%s): %v", r.Code, r.Field, r.Suggestion, c.code, c.field, c.suggestion, r)
			}
			if r.Message == "" || !strings.Contains(r.Error(), tup.Key.String()) {
				t.Errorf("the error does not name the tuple: %v", r)
			}
		})
	}
}

func TestASelfTupleIsAdmittedUnlessRefused(t *testing.T) {
	a := compile(t, strings.Replace(admitted, " refuse self_tuples", "", 1)).Admission
	tup, err := tuple.Parse("group:g#member@group:g#member")
	if err != nil {
		t.Fatal(err)
	}
	if r := a.Admit(tup); r != nil {
		t.Errorf("refused: %v", r)
	}
}

func TestTheZeroAdmissionAdmitsNothing(t *testing.T) {
	tup, err := tuple.Parse("document:a#owner@user:ana")
	if err != nil {
		t.Fatal(err)
	}
	if r := new(schema.Admission).Admit(tup); r == nil || r.Code != schema.CodeUnknownType {
		t.Errorf("got %v", r)
	}
}

func TestAdmissionSurvivesJSON(t *testing.T) {
	for name, text := range map[string]string{"admitted": admitted, "constructs": constructs} {
		t.Run(name, func(t *testing.T) {
			want := compile(t, text).Admission
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got schema.Admission
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(&got)
			if err != nil {
				t.Fatal(err)
			}
			if string(again) != string(text) {
				t.Errorf("got\n%s\nwant\n%s", again, text)
			}
			if !reflect.DeepEqual(portraitOf(&got), portraitOf(want)) {
				t.Errorf("got %+v, want %+v", got, *want)
			}
		})
	}
}

// portraitOf lists what a table says of every relation, nil and empty lists alike.
func portraitOf(a *schema.Admission) []string {
	var lines []string
	for _, t := range a.Types {
		for _, r := range t.Relations {
			line := t.Name + t.Singleton + "#" + r.Name + strings.Join(r.Sealed, ",")
			for _, s := range r.Shapes {
				line += " " + s.String()
			}
			lines = append(lines, line)
		}
	}
	return lines
}
