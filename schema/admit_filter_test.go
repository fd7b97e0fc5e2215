package schema_test

import (
	"testing"

	"github.com/pemba-authz/pemba/schema/tuple"
)

func TestAdmitFilter(t *testing.T) {
	x := compile(t, admitted).Admission.Index()
	for _, c := range []struct {
		name                    string
		filter                  tuple.Filter
		code, field, suggestion string
	}{
		{"everything", tuple.Filter{}, "", "", ""},
		{"whole", tuple.Filter{ObjectType: "document", ObjectID: "a", Relation: "viewer", Subject: tuple.SubjectFilter{Type: "group", ID: "g", Relation: "member"}}, "", "", ""},
		{"relation of any type", tuple.Filter{Relation: "shadow"}, "", "", ""},
		{"subjects without a relation", tuple.Filter{Subject: tuple.SubjectFilter{Type: "user", Relation: tuple.NoRelation}}, "", "", ""},
		{"a permission as a subject's relation", tuple.Filter{Subject: tuple.SubjectFilter{Type: "document", Relation: "view"}}, "", "", ""},
		{"no such type", tuple.Filter{ObjectType: "documnt"}, "unknown_type", "object_type", "did you mean document?"},
		{"no such relation", tuple.Filter{ObjectType: "document", Relation: "viewr"}, "unknown_relation", "relation", "did you mean viewer?"},
		{"another type's relation", tuple.Filter{ObjectType: "document", Relation: "shadow"}, "unknown_relation", "relation", ""},
		{"no type's relation", tuple.Filter{Relation: "shadw"}, "unknown_relation", "relation", "did you mean shadow?"},
		{"a permission", tuple.Filter{ObjectType: "document", Relation: "view"}, "not_a_relation", "relation", "name one of the relations that it is computed from"},
		{"a permission of any type", tuple.Filter{Relation: "view"}, "not_a_relation", "relation", "name one of the relations that it is computed from"},
		{"no such subject type", tuple.Filter{Subject: tuple.SubjectFilter{Type: "usr"}}, "unknown_type", "subject_type", "did you mean user?"},
		{"no such subject relation", tuple.Filter{Subject: tuple.SubjectFilter{Type: "group", Relation: "membr"}}, "unknown_relation", "subject_relation", "did you mean member?"},
		{"no type's subject relation", tuple.Filter{Subject: tuple.SubjectFilter{Relation: "membr"}}, "unknown_relation", "subject_relation", "did you mean member?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var code, field, suggestion string
			if r := x.AdmitFilter(c.filter); r != nil {
				code, field, suggestion = string(r.Code), r.Field, r.Suggestion
			}
			if code != c.code || field != c.field || suggestion != c.suggestion {
				t.Errorf("got %q of %q, %q; want %q of %q, %q", code, field, suggestion, c.code, c.field, c.suggestion)
			}
		})
	}
}
