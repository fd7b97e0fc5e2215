package state_test

import (
	"slices"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// unknownName is the code of the first name in a write's filters that the schema lacks.
func (s *modelStore) unknownName(w *command.Write) command.Code {
	var filters []tuple.Filter
	for _, p := range w.Preconditions {
		filters = append(filters, p.Filter)
	}
	if w.DeleteFilter != nil {
		filters = append(filters, *w.DeleteFilter)
	}
	for _, f := range filters {
		if f.Subject.Relation == tuple.NoRelation {
			f.Subject.Relation = ""
		}
		for _, code := range []command.Code{s.unknown(f.ObjectType, f.Relation, true), s.unknown(f.Subject.Type, f.Subject.Relation, false)} {
			if code != "" {
				return code
			}
		}
	}
	return ""
}

func (s *modelStore) unknown(typeName, relation string, written bool) command.Code {
	if s.admission == nil {
		return ""
	}
	var of, has []schema.AdmissionRelation
	types := 0
	for _, t := range s.admission.Types {
		if typeName == "" || t.Name == typeName {
			types++
			of = append(of, t.Relations...)
		}
	}
	for _, r := range of {
		if r.Name == relation {
			has = append(has, r)
		}
	}
	switch {
	case types == 0 && typeName != "":
		return command.Code(schema.CodeUnknownType)
	case relation == "":
		return ""
	case len(has) == 0:
		return command.Code(schema.CodeUnknownRelation)
	case written && !slices.ContainsFunc(has, func(r schema.AdmissionRelation) bool { return !r.Permission }):
		return command.Code(schema.CodeNotARelation)
	}
	return ""
}
