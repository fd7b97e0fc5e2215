package schema

import (
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// subjectTypes says, by relation, which types of objects can ever be among its
// subjects: an over-approximation that no tuple can exceed.
type subjectTypes []typeSet

// typeSet is a set of types, a bit for each number.
type typeSet []uint64

func (s typeSet) has(t tuple.TypeID) bool {
	return int(t/64) < len(s) && s[t/64]&(1<<(t%64)) != 0
}

func (s typeSet) with(t tuple.TypeID) typeSet {
	for len(s) <= int(t/64) {
		s = append(s, 0)
	}
	s[t/64] |= 1 << (t % 64)
	return s
}

func (s typeSet) without(t tuple.TypeID) typeSet {
	if s.has(t) {
		s[t/64] &^= 1 << (t % 64)
	}
	return s
}

func (s typeSet) union(other typeSet) typeSet {
	for len(s) < len(other) {
		s = append(s, 0)
	}
	for i, bits := range other {
		s[i] |= bits
	}
	return s
}

func (s typeSet) intersection(other typeSet) typeSet {
	s = s[:min(len(s), len(other))]
	for i := range s {
		s[i] &= other[i]
	}
	return s
}

func (s typeSet) intersects(other typeSet) bool {
	for i := range min(len(s), len(other)) {
		if s[i]&other[i] != 0 {
			return true
		}
	}
	return false
}

func (s typeSet) isEmpty() bool {
	return !slices.ContainsFunc(s, func(bits uint64) bool { return bits != 0 })
}

// each calls f for every type in the set.
func (s typeSet) each(f func(tuple.TypeID) bool) bool {
	for i, bits := range s {
		for b := 0; bits != 0; b, bits = b+1, bits>>1 {
			if bits&1 != 0 && !f(tuple.TypeID(i*64+b)) {
				return false
			}
		}
	}
	return true
}

// Bounds on the work of computeSubjectTypes and on what it keeps, in words of
// sets. Past them a relation is said to hold every type, which is always sound.
const (
	maxTypeWork  = 200_000_000
	maxTypeWords = 8_000_000
)

// computeSubjectTypes grows the sets to their least fixpoint, one strongly
// connected part of the relations after the other, in the order in which they
// read each other.
func computeSubjectTypes(s *Schema) subjectTypes {
	g := &typeGrowth{schema: s, acting: actingOn(s), reads: make([][]int, len(s.Relations)), types: make(subjectTypes, len(s.Relations))}
	for _, t := range s.Types {
		g.all = g.all.with(t.ID)
	}
	for _, r := range s.Relations {
		if r == nil {
			continue
		}
		for _, id := range r.grantedBy() {
			g.reads[r.ID] = append(g.reads[r.ID], int(id))
		}
		for _, a := range g.acting[r.Type.ID] {
			g.reads[r.ID] = append(g.reads[r.ID], int(a.acts.Owner), int(r.ID))
		}
	}
	for _, part := range components(g.reads) {
		g.part(part)
	}
	return g.types
}

type typeGrowth struct {
	schema     *Schema
	acting     map[tuple.TypeID][]actor
	reads      [][]int // by relation: whose sets its own is made of
	types      subjectTypes
	all        typeSet
	work, kept int
}

// part computes the sets of relations that read each other; what they read
// beside themselves is done.
func (g *typeGrowth) part(ids []int) {
	if g.schema.Relations[ids[0]] == nil {
		return
	}
	if g.isUnion(ids) { // then all of them have one set
		var shared typeSet
		for _, id := range ids {
			shared = shared.union(g.grow(id))
		}
		for _, id := range ids {
			g.types[id] = shared
		}
		return
	}
	readBy := map[int][]int{}
	queued := map[int]bool{}
	for _, id := range ids {
		queued[id] = true
	}
	for _, id := range ids {
		for _, read := range g.reads[id] {
			if queued[read] {
				readBy[read] = append(readBy[read], id)
			}
		}
	}
	for queue := slices.Clone(ids); len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		queued[id] = false
		grown := g.grow(id)
		if slices.Equal(grown, g.types[id]) {
			continue
		}
		g.types[id] = grown
		for _, reader := range readBy[id] {
			if !queued[reader] {
				queue, queued[reader] = append(queue, reader), true
			}
		}
	}
}

// isUnion says whether every one of the relations holds all that it reads.
func (g *typeGrowth) isUnion(ids []int) bool {
	union := true
	for _, id := range ids {
		r := g.schema.Relations[id]
		union = union && len(g.acting[r.Type.ID]) == 0
		r.Rewrite.walk(func(e *Expr) { union = union && e.Kind != Intersection })
	}
	return union
}

// grow computes the set of a relation from those that it reads as they are.
func (g *typeGrowth) grow(id int) typeSet {
	if g.work > maxTypeWork || g.kept > maxTypeWords {
		return g.all
	}
	r := g.schema.Relations[id]
	set := g.types.ofRelation(r, g.acting[r.Type.ID])
	g.work += (1 + len(g.reads[id])) * len(set)
	g.kept += len(set) - len(g.types[id])
	return set
}

// actor is a type that acts for its owners.
type actor struct {
	subject tuple.TypeID
	acts    *Acts
}

// actingOn lists, by the type acted on, who acts there.
func actingOn(s *Schema) map[tuple.TypeID][]actor {
	on := map[tuple.TypeID][]actor{}
	for _, t := range s.Types {
		for i := range t.Acts {
			a := &t.Acts[i]
			on[a.On] = append(on[a.On], actor{t.ID, a})
		}
	}
	return on
}

// ofRelation says which types can be in a relation, as far as the sets have grown.
func (st subjectTypes) ofRelation(r *Relation, acting []actor) typeSet {
	set := st.ofExpr(r, r.Rewrite)
	for _, subjects := range r.Sealed {
		for _, f := range subjects {
			if f.Relation != 0 {
				set = set.union(st[f.Relation])
			} else {
				set = set.with(f.Type)
			}
		}
	}
	for _, a := range acting {
		set = set.without(a.subject)
	}
	for _, a := range acting {
		if a.acts.Permissions[r.ID] && st[a.acts.Owner].intersects(set.union(st[r.ID])) {
			set = set.with(a.subject)
		}
	}
	return set
}

// ofExpr says which types can be in a part of a relation's rewrite. The set is
// the caller's to change.
func (st subjectTypes) ofExpr(r *Relation, e *Expr) typeSet {
	var set typeSet
	switch e.Kind {
	case Direct:
		if e.Object.Type != 0 { // one subject of a sealed userset
			return set.with(e.Object.Type)
		}
		for _, shape := range r.Shapes {
			if shape.Relation != 0 {
				set = set.union(st[shape.Relation])
			} else {
				set = set.with(shape.Type)
			}
		}
	case Computed, Fixed:
		set = set.union(st[e.Relation])
	case Arrow, Every:
		for _, target := range e.Targets {
			set = set.union(st[target.Relation])
		}
	case Self:
		set = set.with(r.Type.ID)
	case Union:
		for _, o := range e.Operands {
			set = set.union(st.ofExpr(r, o))
		}
	case Intersection:
		set = st.ofExpr(r, e.Operands[0])
		for _, o := range e.Operands[1:] {
			set = set.intersection(st.ofExpr(r, o))
		}
	case Exclusion:
		set = st.ofExpr(r, e.Operands[0])
	}
	return set
}

// canHold says whether a subject of a type can be in a term at all.
func (g *typeGraph) canHold(t term, subject tuple.TypeID) bool {
	if t.expr == nil {
		return g.subjects[t.relation.ID].has(subject)
	}
	return g.subjects.ofExpr(t.relation, t.expr).has(subject)
}

// actsOn returns how subjects of a type act for their owners on objects of
// another; nil where they act as themselves.
func actsOn(s *Schema, subject, object tuple.TypeID) *Acts {
	t := s.TypeByID(subject)
	for i := range t.Acts {
		if t.Acts[i].On == object {
			return &t.Acts[i]
		}
	}
	return nil
}
