package engine

import (
	"context"
	"iter"

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

// candidate is a node that a lookup may find. A certain one needs no check.
type candidate struct {
	ref     tuple.Ref
	id      string
	certain bool
	named   bool // a lookup of subjects met it where subjects are granted something
}

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
	if whole, err := e.reach.from(subject, everything, lookupEdges*e.limit); err != nil {
		return err
	} else if !whole {
		return budgetError(lookupEdges * e.limit)
	}
	list, err := e.objectCandidates(t, relation, subject, after)
	if err != nil {
		return err
	}
	for c := range inOrder(list) {
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
		if answer.Outcome != Denied && !yield(FoundObject{tuple.Object{Type: t.Name, ID: c.id}, answer}, nil) {
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

// objectCandidates returns the type's objects that the subject may reach and whose
// ids come after one.
func (e *evaluation) objectCandidates(t *schema.Type, relation *schema.Relation, subject int32, after string) ([]candidate, error) {
	var list []candidate
	add := func(n tuple.Node, certain bool) error {
		_, id, err := e.graph.Object(n)
		if err == nil && id > after && (t.Singleton == "" || id == t.Singleton) {
			list = append(list, candidate{ref: tuple.Ref{Node: n}, id: id, certain: certain})
		}
		return err
	}
	end := e.reach.end(relation.ID, subject)
	switch {
	case end == nil:
	case end.everywhere:
		for n, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
			return e.graph.Nodes(t.ID, from, into)
		}) {
			if err != nil {
				return nil, err
			}
			if err := e.pace(); err != nil {
				return nil, err
			}
			i, met := e.reach.atoms.get(atomKey{n, relation.ID, subject})
			if err := add(n, met && e.reach.met[i].certain); err != nil {
				return nil, err
			}
		}
	default:
		list = make([]candidate, 0, end.count)
		for i := end.first; i >= 0; i = e.reach.met[i].next {
			if err := add(e.reach.met[i].key.node, e.reach.met[i].certain); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
