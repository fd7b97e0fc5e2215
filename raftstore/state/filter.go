package state

import (
	"github.com/pemba-authz/pemba/schema/tuple"
)

// selection is a tuple.Filter by number: the longest key prefix that it fixes,
// and what is left to compare.
type selection struct {
	prefix []byte // of the row, behind kind and store
	want   row
	noRel  bool // subjects without a relation only
	none   bool // a name has no number: nothing matches
}

// selection numbers a filter.
func (n *names) selection(f tuple.Filter) selection {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var s selection
	s.want = row{ObjectID: f.ObjectID, SubjectID: f.Subject.ID}
	number(&s.want.ObjectType, n.types, f.ObjectType, &s.none)
	number(&s.want.SubjectType, n.types, f.Subject.Type, &s.none)
	if f.Subject.Relation == tuple.NoRelation {
		s.noRel = true
	}
	// A relation's name without its type may be many relations: matches compares
	// those by name, see relation and subjectRelation.
	if f.ObjectType != "" && f.Relation != "" {
		number(&s.want.Relation, n.relations, relationName{s.want.ObjectType, f.Relation}, &s.none)
	}
	if f.Subject.Type != "" && f.Subject.Relation != "" && !s.noRel {
		number(&s.want.SubjectRelation, n.relations, relationName{s.want.SubjectType, f.Subject.Relation}, &s.none)
	}
	s.prefix = s.want.prefix()
	return s
}

func number[K comparable, N ~uint32](to *N, given map[K]N, name K, none *bool) {
	var zero K
	if name == zero {
		return
	}
	if *to = given[name]; *to == 0 {
		*none = true
	}
}

// prefix returns as much of the row's key as its leading fields fix.
func (r row) prefix() []byte {
	var b []byte
	if r.ObjectType == 0 {
		return b
	}
	b = appendU32(b, r.ObjectType)
	if r.ObjectID == "" {
		return b
	}
	b = appendEscaped(b, r.ObjectID)
	if r.Relation == 0 {
		return b
	}
	b = appendU32(b, r.Relation)
	if r.SubjectType == 0 {
		return b
	}
	b = appendU32(b, r.SubjectType)
	if r.SubjectID == "" {
		return b
	}
	return appendEscaped(b, r.SubjectID)
}

// selects says whether a row is selected, where the filter's bare relation names
// (f) are compared as names.
func (s selection) selects(n *names, f tuple.Filter, r row) bool {
	w := s.want
	if s.none || w.ObjectType != 0 && w.ObjectType != r.ObjectType ||
		w.ObjectID != "" && w.ObjectID != r.ObjectID ||
		w.Relation != 0 && w.Relation != r.Relation ||
		w.SubjectType != 0 && w.SubjectType != r.SubjectType ||
		w.SubjectID != "" && w.SubjectID != r.SubjectID ||
		w.SubjectRelation != 0 && w.SubjectRelation != r.SubjectRelation ||
		s.noRel && r.SubjectRelation != 0 {
		return false
	}
	if f.Relation != "" && w.Relation == 0 && n.relationName(r.Relation) != f.Relation {
		return false
	}
	return f.Subject.Relation == "" || s.noRel || w.SubjectRelation != 0 ||
		n.relationName(r.SubjectRelation) == f.Subject.Relation
}

func (n *names) relationName(id tuple.RelationID) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if int(id) >= len(n.relationNames) {
		return ""
	}
	return n.relationNames[id].Name
}
