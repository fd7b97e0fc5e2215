package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// evaluation is the state of one request: what it has found out so far about
// which subject is in which object#relation, and the work that is open.
type evaluation struct {
	*causes
	ctx      context.Context
	schema   *schema.Schema
	graph    *overlay
	now      uint64 // nanoseconds, as expiries are kept
	given    *condition.Request
	coverage *Coverage

	subjects  []subject
	subjectOf map[tuple.Ref]int32

	atoms   []atom // in the order of discovery, which is the index of Tarjan's algorithm
	atomOf  map[atomKey]int32
	open    []int32      // atoms whose strongly connected part is not closed yet
	frames  []frame      // the explicit stack of the walk
	pending []pending    // what the frames still have to ask for
	edges   []tuple.Edge // room for reading edges
	nodes   []node       // equations of open atoms
	links   []link       // operands of equations
	chunk   []tuple.Edge // room for a chunk of a list
	results map[conditionKey]value
	fixed   map[schema.FixedSubject]tuple.Node

	limit     int // most atoms of one question
	most      int // most atoms in all, now
	settled   int32
	steps     uint
	asked     int32  // the subject of the question
	begun     uint   // the step at which that subject was first asked about
	nextClimb uint   // how many steps after that the way upwards is tried next
	reached   *reach // what the subject may be in, where that is known: the walk enters nothing else
}

// atomKey is what has one value per request: is the subject in node#relation?
type atomKey struct {
	node     tuple.Node
	relation tuple.RelationID
	subject  int32
}

type atom struct {
	key   atomKey
	value value // once final
	low   int32 // the lowest atom that its open part is known to reach
	body  ref   // its equation, while it is open and walked
	order int32 // when it became final: what it rests on came before
	final bool
}

type conditionKey struct {
	id      tuple.ConditionID
	context tuple.Context
}

// begin checks a view and makes it ready for questions.
func begin(ctx context.Context, v View) (*evaluation, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if v.Schema == nil {
		return nil, ErrNoSchema
	}
	if v.Reader == nil {
		return nil, errors.New("the view has no reader")
	}
	if v.Now.IsZero() {
		return nil, errors.New("the view has no instant, so that nothing can be said of expiry")
	}
	e := &evaluation{
		causes:   newCauses(),
		ctx:      ctx,
		schema:   v.Schema,
		graph:    newOverlay(v.Reader),
		now:      instant(v.Now),
		coverage: v.Coverage,
		given:    &condition.Request{Now: v.Now},
		limit:    v.Limits.Nodes,
	}
	if v.Context != nil {
		e.given.Values = v.Context.Values
	}
	if e.limit <= 0 {
		e.limit = DefaultNodes
	}
	e.forget()
	if err := e.lay(v); err != nil {
		return nil, err
	}
	return e, nil
}

// instant returns a time as expiries are kept; what is outside their range is
// before or after all of them.
func instant(t time.Time) uint64 {
	switch year := t.UTC().Year(); {
	case year < 1970:
		return 0
	case year > 2553:
		return math.MaxUint64
	}
	return tuple.Nanoseconds(t)
}

// expired says whether an edge is gone at the view's instant.
func (e *evaluation) expired(edge *tuple.Edge) bool {
	return edge.Expires != 0 && edge.Expires <= e.now
}

// forget drops all that was found out, so that the memory of one question does
// not weigh on the next.
func (e *evaluation) forget() {
	e.subjects, e.subjectOf = nil, map[tuple.Ref]int32{}
	e.atomOf = map[atomKey]int32{}
	e.pending, e.edges, e.reached = nil, nil, nil
	e.coverage.forget()
	e.asked = -1
	e.atoms, e.frames, e.open = make([]atom, 0, 8), make([]frame, 0, 8), make([]int32, 0, 8)
	e.resetEquations()
}

// resetEquations empties the arenas of equations; index 0 of both is none.
func (e *evaluation) resetEquations() {
	e.nodes, e.links = append(e.nodes[:0], node{}), append(e.links[:0], link{})
}

// pace counts a step of work and now and then asks whether the request still stands.
func (e *evaluation) pace() error {
	if e.steps++; e.steps&255 == 0 {
		return context.Cause(e.ctx)
	}
	return nil
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
	result, err := c.Program.Eval(key.context, e.given)
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
