package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// Readers is a schema read backwards: for every relation, what may hold because
// it holds. It over-approximates: of an intersection it follows one operand, of
// an exclusion the left one, so whoever is in a relation is found, and some who
// are not. A lookup of objects walks it from the subject.
type Readers struct {
	of     map[tuple.RelationID][]Reading
	direct map[tuple.RelationID]Reading
	self   map[tuple.TypeID][]Reading
	sealed []Reading
	naming map[tuple.RelationID][]tuple.RelationID
	guess  map[tuple.RelationID]int // the breadth of relations
}

// Reading says that Relation may hold because of what it reads.
type Reading struct {
	Kind     Kind
	Relation tuple.RelationID // what may hold
	// Certain says that what is read is enough for Relation to hold: nothing else
	// is required, and nothing excludes.
	Certain  bool
	Tupleset tuple.RelationID   // Arrow, Every: whose tuples lead to what is read
	Usersets []tuple.RelationID // Arrow, Every: the usersets by which such a tuple may name it
	Object   FixedSubject       // Fixed: whose userset is read; of a sealed userset, what is in it
	ID       string             // of a sealed userset: the object whose userset it is
}

// Of returns what reads a relation: Computed, Arrow, Every and Fixed, and Nobody
// for a sealed userset that holds a userset of this relation.
func (r *Readers) Of(relation tuple.RelationID) []Reading { return r.of[relation] }

// Direct returns how a relation's own tuples bear on it; false when they do not.
func (r *Readers) Direct(relation tuple.RelationID) (Reading, bool) {
	d, ok := r.direct[relation]
	return d, ok
}

// Naming returns the relations whose tuples may name usersets of a relation.
func (r *Readers) Naming(userset tuple.RelationID) []tuple.RelationID { return r.naming[userset] }

// Self returns what an object of a type may have on itself.
func (r *Readers) Self(t tuple.TypeID) []Reading { return r.self[t] }

// Sealed returns the sealed usersets that hold an object or a wildcard.
func (r *Readers) Sealed() []Reading { return r.sealed }

// Readers returns the schema read backwards. It is made once.
func (s *Schema) Readers() *Readers {
	s.readersOnce.Do(func() {
		s.readers = &Readers{
			of:     map[tuple.RelationID][]Reading{},
			direct: map[tuple.RelationID]Reading{},
			self:   map[tuple.TypeID][]Reading{},
			naming: map[tuple.RelationID][]tuple.RelationID{},
			guess:  map[tuple.RelationID]int{},
		}
		for _, r := range s.Relations {
			if r == nil {
				continue
			}
			for _, shape := range r.Shapes {
				if shape.Relation != 0 {
					s.readers.naming[shape.Relation] = append(s.readers.naming[shape.Relation], r.ID)
				}
			}
			s.readers.seal(r)
			if r.Rewrite != nil {
				s.readers.add(s, r, r.Rewrite, len(r.Sealed) == 0)
			}
		}
	})
	return s.readers
}

func (r *Readers) seal(of *Relation) {
	for id, fixed := range of.Sealed {
		for _, f := range fixed {
			reading := Reading{Kind: Nobody, Relation: of.ID, Certain: true, Object: f, ID: id}
			if f.Relation != 0 {
				r.of[f.Relation] = append(r.of[f.Relation], reading)
			} else {
				r.sealed = append(r.sealed, reading)
			}
		}
	}
}

// add gathers what an expression of a relation reads.
func (r *Readers) add(s *Schema, of *Relation, x *Expr, certain bool) {
	reading := Reading{Kind: x.Kind, Relation: of.ID, Certain: certain, Object: x.Object}
	switch x.Kind {
	case Direct:
		if old, ok := r.direct[of.ID]; ok {
			reading.Certain = reading.Certain || old.Certain
		}
		r.direct[of.ID] = reading
	case Self:
		r.self[of.Type.ID] = append(r.self[of.Type.ID], reading)
	case Computed, Fixed:
		r.of[x.Relation] = append(r.of[x.Relation], reading)
	case Arrow, Every:
		tupleset := s.Relation(x.Relation)
		if tupleset == nil {
			return
		}
		reading.Certain = certain && x.Kind == Arrow
		reading.Tupleset = x.Relation
		for _, target := range x.Targets {
			reading.Usersets = nil
			for _, shape := range tupleset.Shapes {
				if shape.Type == target.Type && shape.Relation != 0 {
					reading.Usersets = append(reading.Usersets, shape.Relation)
				}
			}
			r.of[target.Relation] = append(r.of[target.Relation], reading)
		}
	case Union:
		for _, o := range x.Operands {
			r.add(s, of, o, certain)
		}
	case Intersection:
		best := x.Operands[0]
		for _, o := range x.Operands[1:] {
			if r.breadth(s, o) < r.breadth(s, best) {
				best = o
			}
		}
		r.add(s, of, best, false)
	case Exclusion:
		r.add(s, of, x.Operands[0], false)
	}
}

// breadth guesses how many objects an expression may hold on for one subject: a
// fixed userset holds on all of a type or on none, an arrow on all below.
func (r *Readers) breadth(s *Schema, x *Expr) int {
	switch x.Kind {
	case Nobody:
		return 0
	case Self:
		return 1
	case Direct:
		return 10
	case Arrow, Every:
		return 30
	case Fixed:
		return 1000
	case Union:
		n := 0
		for _, o := range x.Operands {
			n = min(n+r.breadth(s, o), 100_000)
		}
		return n
	case Intersection:
		n := 100_000
		for _, o := range x.Operands {
			n = min(n, r.breadth(s, o))
		}
		return n
	case Exclusion:
		return r.breadth(s, x.Operands[0])
	}
	n, ok := r.guess[x.Relation]
	if of := s.Relation(x.Relation); !ok && of != nil && of.Rewrite != nil {
		r.guess[x.Relation] = 20 // what a relation that recurs finds of itself
		n = r.breadth(s, of.Rewrite)
		r.guess[x.Relation] = n
	}
	return n
}
