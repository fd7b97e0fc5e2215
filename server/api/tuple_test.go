package api_test

import (
	"testing"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

func TestTupleRoundTrip(t *testing.T) {
	for _, text := range []string{
		"document:readme#viewer@user:ana",
		"document:readme#viewer@user:*",
		"document:a@b#viewer@group:eng#member",
		`document:readme#viewer@user:ana with from_office {"cidr":"10.0.0.0/8"} until 2030-01-01T00:00:00.000000001Z`,
	} {
		wire, err := api.ParseTuple(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back, faults := wire.Tuple()
		if len(faults) > 0 || back.String() != text {
			t.Errorf("%s came back as %s (%v)", text, back, faults)
		}
	}
}

func TestTupleFaults(t *testing.T) {
	_, faults := api.Tuple{Object: "document", Relation: "a b", Subject: "user:*#member", Condition: &api.Condition{Context: api.Context(`[]`)}}.Tuple()
	want := []string{"/object", "/relation", "/subject", "/condition/name", "/condition/context"}
	if len(faults) != len(want) {
		t.Fatalf("got %v, want faults at %v", faults, want)
	}
	for i, f := range faults {
		if f.Pointer != want[i] || f.Code != api.InvalidValue || f.Message == "" {
			t.Errorf("got %+v, want %s", f, want[i])
		}
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		name   string
		filter api.Filter
		want   tuple.Filter
		faults []string
	}{
		{"nothing", api.Filter{}, tuple.Filter{}, nil},
		{"object whole", api.Filter{Object: "document:readme"}, tuple.Filter{ObjectType: "document", ObjectID: "readme"}, nil},
		{"object's type", api.Filter{ObjectType: "document", Relation: "viewer"}, tuple.Filter{ObjectType: "document", Relation: "viewer"}, nil},
		{"subject whole means it alone", api.Filter{Subject: "group:eng"}, tuple.Filter{Subject: tuple.SubjectFilter{Type: "group", ID: "eng", Relation: "-"}}, nil},
		{"userset", api.Filter{Subject: "group:eng#member"}, tuple.Filter{Subject: tuple.SubjectFilter{Type: "group", ID: "eng", Relation: "member"}}, nil},
		{"subject's parts", api.Filter{SubjectType: "group", SubjectRelation: "-"}, tuple.Filter{Subject: tuple.SubjectFilter{Type: "group", Relation: "-"}}, nil},
		{"two types", api.Filter{Object: "document:a", ObjectType: "folder"}, tuple.Filter{}, []string{"/object_type"}},
		{"subject twice", api.Filter{Subject: "user:ana", SubjectType: "user"}, tuple.Filter{}, []string{"/subject"}},
		{"bad names", api.Filter{ObjectType: "a b", SubjectID: "a b", SubjectRelation: "#"}, tuple.Filter{}, []string{"/object_type", "/subject_relation", "/subject_id"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, faults := test.filter.Filter()
			if len(faults) != len(test.faults) {
				t.Fatalf("got %v, want faults at %v", faults, test.faults)
			}
			for i, f := range faults {
				if f.Pointer != test.faults[i] {
					t.Errorf("got %+v, want %s", f, test.faults[i])
				}
			}
			if len(faults) == 0 && got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
