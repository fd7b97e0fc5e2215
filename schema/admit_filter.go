package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// AdmitFilter says which name of a filter the schema does not know; nil where it
// knows all of them. Such a filter selects nothing, and whoever deletes by it, or
// demands that nothing matches it, has mistyped: an access that was to end would
// stand. Tuple is empty in the refusal, and Field is a member of the filter.
func (x *Admitter) AdmitFilter(f tuple.Filter) *Refusal {
	if refusal := x.filterName("object_type", f.ObjectType, "relation", f.Relation, true); refusal != nil {
		return refusal
	}
	relation := f.Subject.Relation
	if relation == tuple.NoRelation {
		relation = ""
	}
	return x.filterName("subject_type", f.Subject.Type, "subject_relation", relation, false)
}

// filterName judges a type and a relation of it, each of which may be left out.
// What tuples write must be a relation; a subject's may be a permission too.
func (x *Admitter) filterName(typeField, typeName, field, name string, written bool) *Refusal {
	types := x.admission.Types
	if typeName != "" {
		typ := x.types[typeName]
		if typ == nil {
			return &Refusal{Code: CodeUnknownType, Field: typeField, Thing: typeName,
				Message:    fmt.Sprintf("the schema has no type %q", typeName),
				Suggestion: source.DidYouMean(typeName, x.typeNames())}
		}
		types = []AdmissionType{*typ.AdmissionType}
	}
	if name == "" {
		return nil
	}
	permission := ""
	var known []string
	for _, t := range types {
		r := x.types[t.Name].relations[name]
		if r != nil && !(written && r.Permission) {
			return nil
		}
		if r != nil {
			permission = t.Name + "#" + name
		}
		known = append(known, x.types[t.Name].relationNames()...)
	}
	switch {
	case permission != "":
		return &Refusal{Code: CodeNotARelation, Field: field, Thing: name,
			Message:    fmt.Sprintf("%s is a permission: it is computed, and no tuple has it", permission),
			Suggestion: "name one of the relations that it is computed from"}
	case typeName != "":
		return &Refusal{Code: CodeUnknownRelation, Field: field, Thing: name,
			Message: fmt.Sprintf("type %s has no relation %q", typeName, name), Suggestion: source.DidYouMean(name, known)}
	}
	return &Refusal{Code: CodeUnknownRelation, Field: field, Thing: name,
		Message: fmt.Sprintf("no type of the schema has a relation %q", name), Suggestion: source.DidYouMean(name, known)}
}
