package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// Affected says, by name, which relations and permissions can decide otherwise
// after a change of schema, whatever the tuples are: those that changed, and all
// that read them, directly or not, before or after.
type Affected struct{ names map[[2]string]bool }

// Has says whether a name of a type is affected.
func (a Affected) Has(typeName, name string) bool { return a.names[[2]string{typeName, name}] }

// AffectedBy compares two schemas.
func AffectedBy(before, after *Schema) Affected {
	a := Affected{names: map[[2]string]bool{}}
	changed := map[string]bool{}
	for _, c := range Diff(before, after) {
		changed[c.Name] = true
	}
	a.spread(before, changed)
	a.spread(after, changed)
	// What one side's readers add may be read on the other side alone.
	for grown := -1; grown != len(a.names); {
		grown = len(a.names)
		a.spread(before, changed)
		a.spread(after, changed)
	}
	return a
}

// spread marks what changed in a schema and what reads it there.
func (a Affected) spread(s *Schema, changed map[string]bool) {
	readBy := make([][]*Relation, len(s.Relations))
	var queue []*Relation
	mark := func(r *Relation) {
		a.names[[2]string{r.Type.Name, r.Name}] = true
		queue = append(queue, r)
	}
	acting := actingOn(s)
	for _, t := range s.Types {
		actorChanged := false
		for _, actor := range acting[t.ID] {
			actorChanged = actorChanged || changed[s.TypeByID(actor.subject).Name]
		}
		for _, r := range t.Relations {
			for _, id := range append(r.reads(), owners(acting[t.ID])...) {
				readBy[id] = append(readBy[id], r)
			}
			if actorChanged || changed[t.Name] || changed[qualified(r)] || s.readsChanged(r, changed) || a.Has(t.Name, r.Name) {
				mark(r)
			}
		}
	}
	seen := make([]bool, len(s.Relations))
	for ; len(queue) > 0; queue = queue[1:] {
		for _, r := range readBy[queue[0].ID] {
			if !seen[r.ID] {
				seen[r.ID] = true
				mark(r)
			}
		}
	}
}

// owners lists the relations that lead to those whom others act for.
func owners(acting []actor) []tuple.RelationID {
	var ids []tuple.RelationID
	for _, a := range acting {
		ids = append(ids, a.acts.Owner)
	}
	return ids
}

// readsChanged says whether a relation admits subjects whose type, condition or
// (for arrows) object changed.
func (s *Schema) readsChanged(r *Relation, changed map[string]bool) bool {
	for _, shape := range r.Shapes {
		if changed[s.TypeByID(shape.Type).Name] {
			return true
		}
		if c := s.Condition(shape.Condition); c != nil && changed["condition "+c.Name] {
			return true
		}
	}
	return false
}
