package engine

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

type conditionKey struct {
	id      tuple.ConditionID
	context tuple.Context
}

// expired says whether an edge is gone at the view's instant.
func (e *evaluation) expired(edge *tuple.Edge) bool {
	return edge.Expires != 0 && edge.Expires <= e.now
}

// guard says what an edge is worth: expired and unadmitted edges are not asked
// about here.
func (e *evaluation) guard(edge *tuple.Edge) value {
	if edge.Condition == 0 {
		return always
	}
	key := conditionKey{edge.Condition, edge.Context}
	v, ok := e.results[key]
	if !ok {
		v = e.evaluate(key)
		if e.results == nil {
			e.results = map[conditionKey]value{}
		}
		e.results[key] = v
	}
	return v
}

func (e *evaluation) evaluate(key conditionKey) value {
	c := e.schema.Condition(key.id)
	if c == nil || c.Program == nil {
		err := fmt.Errorf("the schema has no condition with the number %d", key.id)
		return uncertain(e.intern(cause{err: err}))
	}
	result, err := c.Program.Eval(key.context, &e.given)
	switch {
	case err != nil:
		return uncertain(e.intern(cause{err: &ConditionError{Condition: c.Name, Err: err}}))
	case len(result.Missing) > 0:
		return uncertain(e.intern(cause{missing: result.Missing}))
	case result.Holds:
		return always
	}
	return never
}

// admitted says whether an edge of r counts: it has not expired, and the schema
// still admits its shape. What only an older schema admitted is never honoured.
func (e *evaluation) admitted(edge *tuple.Edge, r *schema.Relation, t tuple.TypeID, star bool) bool {
	return !e.expired(edge) && r.Admits(t, edge.Ref.Relation, star, edge.Condition, edge.Expires != 0)
}

// live appends the edges of node#r that count, of every kind but the wildcard.
func (e *evaluation) live(list []tuple.Edge, n tuple.Node, r *schema.Relation) ([]tuple.Edge, error) {
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return e.graph.Subjects(n, r.ID, from, into)
	}) {
		if err != nil {
			return list, err
		}
		if err := e.pace(); err != nil {
			return list, err
		}
		t, star, err := e.typeOf(edge.Ref)
		if err != nil {
			return list, err
		}
		if !star && e.admitted(&edge, r, t, false) {
			list = append(list, edge)
		}
	}
	return list, nil
}

// typeOf returns the type of a subject's object, and whether it is the wildcard.
func (e *evaluation) typeOf(ref tuple.Ref) (t tuple.TypeID, star bool, err error) {
	if ref.Relation != 0 {
		if r := e.schema.Relation(ref.Relation); r != nil {
			return r.Type.ID, false, nil
		}
		return 0, false, nil
	}
	return e.graph.Type(ref.Node)
}

// fixedNode returns the node of an object that stands in the schema.
func (e *evaluation) fixedNode(f schema.FixedSubject) (tuple.Node, error) {
	f.Relation = 0
	if n, ok := e.fixed[f]; ok {
		return n, nil
	}
	n, err := e.graph.Node(f.Type, f.ID)
	if err != nil {
		return n, err
	}
	if e.fixed == nil {
		e.fixed = map[schema.FixedSubject]tuple.Node{}
	}
	e.fixed[f] = n
	return n, nil
}
