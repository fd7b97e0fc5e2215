package engine

import (
	"context"
	"iter"
	"slices"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// ObjectsQuestion asks on which objects of a type a subject has a permission.
type ObjectsQuestion struct {
	Type       string
	Permission string
	Subject    tuple.Subject
}

// LookupObjects answers exactly what checks of all the type's objects would:
// those that a tuple, the question or the schema names. An error on any of them
// is the lookup's.
func LookupObjects(ctx context.Context, v View, q ObjectsQuestion, page Page) (ObjectPage, error) {
	found, next, err := gather(StreamObjects(ctx, v, q, page.After), page.Limit, func(f FoundObject) string { return f.Object.ID })
	return ObjectPage{found, next}, err
}

// StreamObjects yields the objects after an id, one by one; an error ends it.
func StreamObjects(ctx context.Context, v View, q ObjectsQuestion, after string) iter.Seq2[FoundObject, error] {
	return stream(ctx, v, func(e *evaluation, yield func(FoundObject, error) bool) error {
		return e.lookupObjects(q, after, yield)
	})
}

// lookupEdges is how many edges and pairs the walk up from a subject may meet
// for each pair that a check may: an answer is as long as it is.
const lookupEdges = 4

func (e *evaluation) lookupObjects(q ObjectsQuestion, after string, yield func(FoundObject, error) bool) error {
	t, relation, err := e.relationNamed(q.Type, q.Permission)
	if err != nil {
		return err
	}
	if err := valid(q.Subject); err != nil {
		return err
	}
	ref, err := e.subjectRef(q.Subject)
	if err != nil {
		return err
	}
	subject, err := e.subjectNumber(ref)
	if err != nil {
		return err
	}
	if err := e.nameObjects(t, ref); err != nil {
		return err
	}
	if p := e.plan.at(relation.ID); p.tops() && !e.subjects[subject].acts {
		e.reach.goal = relation.ID
	}
	if whole, err := e.reach.from(subject, everything, lookupEdges*e.limit); err != nil {
		return err
	} else if !whole {
		return budgetError(lookupEdges * e.limit)
	}
	if err := e.objectCandidates(t, relation, subject); err != nil {
		return err
	}
	for c := range e.lineup.inOrder(after) {
		id := e.lineup.id(c)
		if t.Singleton != "" && id != t.Singleton {
			continue
		}
		answer := Answer{Outcome: Allowed}
		if !c.certain {
			v, err := e.decideFor(ref, c.ref.Node, relation.ID)
			if err != nil {
				return err
			}
			if answer, err = e.answer(v); err != nil {
				return err
			}
		}
		if answer.Outcome != Denied && !yield(FoundObject{tuple.Object{Type: t.Name, ID: id}, answer}, nil) {
			return nil
		}
	}
	return nil
}

// decideFor finds the value of a relation of a node for a subject by number.
func (e *evaluation) decideFor(subject tuple.Ref, n tuple.Node, relation tuple.RelationID) (value, error) {
	i, err := e.subjectNumber(subject)
	if err != nil {
		return never, err
	}
	return e.decide(atomKey{n, relation, i})
}

// nameObjects makes the type's objects that only the schema or the question
// names part of what the lookup ranges over.
func (e *evaluation) nameObjects(t *schema.Type, subject tuple.Ref) error {
	if subject.Node&local != 0 {
		st, id, err := e.graph.Object(subject.Node)
		if err != nil {
			return err
		}
		if id != tuple.Wildcard {
			e.graph.name(st, subject.Node)
		}
	}
	name := func(id string) error {
		n, err := e.graph.Node(t.ID, id)
		if err == nil {
			e.graph.name(t.ID, n)
		}
		return err
	}
	if t.Singleton != "" {
		return name(t.Singleton)
	}
	for _, r := range t.Relations {
		for id := range r.Sealed {
			if err := name(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// objectCandidates lines up the type's objects that the subject may reach.
func (e *evaluation) objectCandidates(t *schema.Type, relation *schema.Relation, subject int32) error {
	l, end := &e.lineup, e.reach.end(relation.ID, subject)
	l.reset()
	if end == nil {
		return nil
	}
	l.list = slices.Grow(l.list, int(end.count))
	for i := end.first; i >= 0; i = e.reach.met[i].next {
		l.list = append(l.list, candidate{ref: tuple.Ref{Node: e.reach.met[i].key.node}, certain: e.reach.met[i].certain})
	}
	if !end.everywhere {
		return e.nameAll(l)
	}
	for n, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
		return e.graph.Nodes(t.ID, from, into)
	}) {
		if err != nil {
			return err
		}
		if err := e.pace(); err != nil {
			return err
		}
		l.list = append(l.list, candidate{ref: tuple.Ref{Node: n}})
	}
	return e.nameAll(l)
}
