package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// New puts a schema together from types and conditions that have their numbers
// and are otherwise complete. The compiler calls it last; so does whoever builds
// a schema without a source.
func New(language int, types []*Type, conditions []*Condition) *Schema {
	s := &Schema{Language: language, Types: types, byName: make(map[string]*Type, len(types))}
	for _, t := range types {
		s.byName[t.Name] = t
		s.byID = put(s.byID, int(t.ID), t)
		t.byName = make(map[string]*Relation, len(t.Relations))
		for _, r := range t.Relations {
			t.byName[r.Name] = r
			r.Type = t
			s.Relations = put(s.Relations, int(r.ID), r)
		}
	}
	for _, c := range conditions {
		s.Conditions = put(s.Conditions, int(c.ID), c)
	}
	s.numberBranches()
	return s
}

// branch is one node of a rewrite and the relation that it is of.
type branch struct {
	relation *Relation
	expr     *Expr
}

// numberBranches numbers the nodes of all rewrites, in the order of the source.
func (s *Schema) numberBranches() {
	for _, t := range s.Types {
		for _, r := range t.Relations {
			if r.Rewrite == nil {
				continue
			}
			r.Rewrite.walk(func(e *Expr) {
				e.Branch = len(s.branches)
				s.branches = append(s.branches, branch{r, e})
			})
		}
	}
}

// Branches returns how many nodes all rewrites have together: Expr.Branch is
// below it.
func (s *Schema) Branches() int { return len(s.branches) }

// Branch returns the node of a rewrite by its number and the relation that it is
// of; nil where there is none.
func (s *Schema) Branch(n int) (*Relation, *Expr) {
	if n < 0 || n >= len(s.branches) {
		return nil, nil
	}
	return s.branches[n].relation, s.branches[n].expr
}

// ConditionNamed returns the condition with a name, or nil.
func (s *Schema) ConditionNamed(name string) *Condition {
	for _, c := range s.Conditions {
		if c != nil && c.Name == name {
			return c
		}
	}
	return nil
}

// put stores v at an index, growing the list as far as needed.
func put[T any](list []*T, index int, v *T) []*T {
	for len(list) <= index {
		list = append(list, nil)
	}
	list[index] = v
	return list
}

// Admits says whether a tuple of this relation may have a subject of this kind
// with this condition and expiry. A relation of 0 with wildcard unset is an object.
func (r *Relation) Admits(subject tuple.TypeID, relation tuple.RelationID, wildcard bool, condition tuple.ConditionID, expires bool) bool {
	for i := range r.Shapes {
		s := &r.Shapes[i]
		if s.Type == subject && s.Relation == relation && s.Wildcard == wildcard && s.Condition == condition {
			if expires && s.Expiry != ExpiryNever || !expires && s.Expiry != ExpiryRequired {
				return true
			}
		}
	}
	return false
}
