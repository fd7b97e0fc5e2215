package spicedb

import "fmt"

// checkAnnotations refuses, in files that use typechecking, a permission whose
// annotation leaves out a type that its subjects may have.
func (w *world) checkAnnotations() {
	for _, t := range w.order {
		if !t.file.uses["typechecking"] {
			continue
		}
		for _, m := range t.order {
			if !m.annotated {
				continue
			}
			given := map[string]bool{}
			for _, a := range m.annotations {
				given[a.Text] = true
			}
			for _, typ := range w.subjectTypes(t, m) {
				if !given[typ] {
					w.refuse("incomplete_annotation", m.name, fmt.Sprintf("the subjects of %s#%s may be of type %s, which its annotation leaves out", t.def.name.Text, m.name.Text, typ),
						"add "+typ+" behind the permission's name")
				}
			}
		}
	}
}

// subjectTypes returns the types that SpiceDB wants an annotation to name, in the
// order in which they are met: what an exclusion takes away counts, self does not.
func (w *world) subjectTypes(t *worldType, m *member) []string {
	s := &typeSearch{world: w, seen: map[*member]bool{}, found: map[string]bool{}}
	s.member(t, m)
	return s.types
}

type typeSearch struct {
	world *world
	seen  map[*member]bool
	found map[string]bool
	types []string
}

func (s *typeSearch) member(t *worldType, m *member) {
	if m == nil || s.seen[m] {
		return
	}
	s.seen[m] = true
	if !s.world.report.Spend(1+len(m.types), m.name.Place) {
		return
	}
	for _, a := range m.types {
		other := s.world.definitions[a.typ.Text]
		if a.relation.Text != "" {
			s.member(other, other.members[a.relation.Text])
			continue
		}
		if !s.found[a.typ.Text] {
			s.found[a.typ.Text] = true
			s.types = append(s.types, a.typ.Text)
		}
	}
	if m.expression != nil {
		s.expression(t, m.expression)
	}
}

func (s *typeSearch) expression(t *worldType, e *expression) {
	switch e.operator {
	case reference:
		s.member(t, t.members[e.relation.Text])
	case walk, walkAll:
		types := t.members[e.relation.Text].types
		if !s.world.report.Spend(len(types), e.relation.Place) {
			return
		}
		for _, a := range types {
			other := s.world.definitions[a.typ.Text]
			s.member(other, other.members[e.target.Text])
		}
	}
	for _, o := range e.operands {
		s.expression(t, o)
	}
}
