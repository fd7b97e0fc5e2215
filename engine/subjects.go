package engine

import (
	"context"
	"iter"
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// SubjectsQuestion asks which subjects of a type have a permission on an object:
// its objects, or with Relation its usersets of that name.
type SubjectsQuestion struct {
	Object     tuple.Object
	Permission string
	Type       string
	Relation   string
}

// LookupSubjects answers flat: an entry per named subject that is allowed or
// conditional, and at most one for the wildcard, which says what everybody else
// has. Where there is one, a named subject that has less has an entry, too:
// conditional or, with the outcome Denied, excluded. An error on any of them is
// the lookup's.
func LookupSubjects(ctx context.Context, v View, q SubjectsQuestion, page Page) (SubjectPage, error) {
	found, next, err := gather(StreamSubjects(ctx, v, q, page.After), page.Limit, func(f FoundSubject) string { return f.Subject.ID })
	return SubjectPage{found, next}, err
}

// StreamSubjects yields the subjects after an id, one by one; an error ends it.
func StreamSubjects(ctx context.Context, v View, q SubjectsQuestion, after string) iter.Seq2[FoundSubject, error] {
	return stream(ctx, v, func(e *evaluation, yield func(FoundSubject, error) bool) error {
		return e.lookupSubjects(q, after, yield)
	})
}

// memoWeight is how many atoms, met on the way down or up, a lookup of subjects
// keeps: one subject's serve no other.
const memoWeight = 1 << 16

func (e *evaluation) lookupSubjects(q SubjectsQuestion, after string, yield func(FoundSubject, error) bool) error {
	n, relation, err := e.target(q.Object, q.Permission)
	if err != nil {
		return err
	}
	c := crowd{e: e, lineup: &e.lineup, found: map[tuple.Ref]int{}, met: map[tuple.Ref]standing{}}
	if c.typ, err = e.typeNamed(q.Type); err != nil {
		return err
	}
	if q.Relation != "" {
		_, r, err := e.relationNamed(q.Type, q.Relation)
		if err != nil {
			return err
		}
		c.relation = r.ID
	}
	if err := c.gather(tuple.Ref{Node: n, Relation: relation}); err != nil {
		return err
	}
	others, err := e.others(&c, atomKey{node: n, relation: relation})
	if err != nil {
		return err
	}
	if others.Outcome != Denied {
		e.lineup.add(tuple.Wildcard)
	}
	for c := range e.lineup.inOrder(after) {
		entry := FoundSubject{Subject: tuple.Subject{Type: q.Type, ID: e.lineup.id(c), Relation: q.Relation}, Answer: others}
		if entry.Subject.ID != tuple.Wildcard {
			if entry.Answer, err = e.standing(*c, n, relation); err != nil {
				return err
			}
			if !listed(*c, entry.Answer, others) {
				continue
			}
		}
		if !yield(entry, nil) {
			return nil
		}
	}
	return nil
}

// listed says whether a named subject has an entry: it was granted something by
// name, or it has another answer than everybody.
func listed(c candidate, answer, others Answer) bool {
	differs := answer.Outcome != others.Outcome || !slices.Equal(answer.Missing, others.Missing)
	return differs || c.named && answer.Outcome != Denied
}

// standing is what a candidate has.
func (e *evaluation) standing(c candidate, n tuple.Node, relation tuple.RelationID) (Answer, error) {
	if c.certain {
		return Answer{Outcome: Allowed}, nil
	}
	if max(len(e.atoms), len(e.reach.met), len(e.subjects)) > memoWeight {
		e.forget()
	}
	subject, err := e.subjectNumber(c.ref)
	if err != nil {
		return Answer{}, err
	}
	v, err := e.decide(atomKey{n, relation, subject})
	if err != nil {
		return Answer{}, err
	}
	return e.answer(v)
}

// others is what every object of the type has that nothing names. A userset that
// nothing names is in nothing but itself; a singleton type has no others.
func (e *evaluation) others(c *crowd, key atomKey) (Answer, error) {
	if c.relation != 0 || c.typ.Singleton != "" {
		return Answer{}, nil
	}
	v, err := e.decideFor(tuple.Ref{Node: e.graph.fresh(c.typ.ID)}, key.node, key.relation)
	if err != nil {
		return Answer{}, err
	}
	return e.answer(v)
}
