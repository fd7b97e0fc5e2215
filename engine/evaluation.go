package engine

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// evaluation is the state of one request: what it has found out so far about
// which subject is in which object#relation, and the work that is open.
// Evaluations are used again, so that a request finds its arenas made.
type evaluation struct {
	causes
	ctx      context.Context
	schema   *schema.Schema
	plan     *plan
	graph    overlay
	now      uint64 // nanoseconds, as expiries are kept
	given    condition.Request
	coverage *Coverage
	plain    bool // no short cuts: every branch and every pair is gone through, in the schema's order

	subjects  []subject
	subjectOf table // {node, relation, -1} to subjects

	atoms   []atom // in the order of discovery, which is the index of Tarjan's algorithm
	atomOf  table
	open    []int32      // atoms whose strongly connected part is not closed yet
	frames  []frame      // the explicit stack of the walk
	pending []pending    // what the frames still have to ask for
	edges   []tuple.Edge // room for reading owners
	chunk   []tuple.Edge // room for a chunk of a list
	nodes   []node       // equations of open atoms
	links   []link       // operands of equations
	results map[conditionKey]value
	fixed   map[schema.FixedSubject]tuple.Node

	readings        []reading // questions of a batch that come next
	objects, abouts []tuple.ObjectName

	limit   int // most atoms of one question
	most    int // most atoms in all, now
	settled int32
	steps   uint
	pause   uint // the step after which purse is asked
	purse   purse
	asked   int32                // the subject of the question
	begun   uint                 // the step at which that subject was first asked about
	lineup  lineup               // of a lookup
	reach   reach                // what subjects may be in: the walk enters nothing else
	next    [everything + 1]uint // how many steps after begun the way upwards is tried next, by scope
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

// evaluations are those that no request uses.
var evaluations = sync.Pool{New: func() any {
	e := &evaluation{chunk: make([]tuple.Edge, chunkSize)}
	e.reach.e = e
	e.causes.reset()
	e.forget()
	return e
}}

// keptAtoms bounds the arenas of an evaluation that is used again, so that one
// giant request does not pin its memory: ten MiB or so.
const keptAtoms = 1 << 16

// begin checks a view and makes it ready for questions. Who begins also ends.
func begin(ctx context.Context, v *View) (*evaluation, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
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
	e := evaluations.Get().(*evaluation)
	e.ctx, e.schema, e.plan, e.coverage = ctx, v.Schema, planOf(v.Schema), v.Coverage
	e.plain = v.Coverage != nil
	e.graph.base, e.now = v.Reader, instant(v.Now)
	e.given.Now = v.Now
	if v.Context != nil {
		e.given.Values = v.Context.Values
	}
	if e.limit = v.Limits.Nodes; e.limit <= 0 {
		e.limit = DefaultNodes
	}
	e.purse.fill(v.Limits)
	e.steps, e.pause = 0, 0
	err := e.purse.take(e)
	if err == nil {
		err = e.lay(v)
	}
	if err != nil {
		e.end()
		return nil, err
	}
	return e, nil
}

// end gives the evaluation back; nothing of it may be used afterwards.
func (e *evaluation) end() {
	if max(cap(e.atoms), cap(e.frames), cap(e.pending), cap(e.nodes), cap(e.links), cap(e.edges), cap(e.subjects),
		cap(e.reach.met), cap(e.reach.byEnd), cap(e.lineup.list), cap(e.lineup.text)/16, cap(e.graph.objects), len(e.results), len(e.graph.nodes), cap(e.causes.list)) > keptAtoms {
		return
	}
	e.reach.goal = 0
	e.forget()
	e.ctx, e.schema, e.plan, e.coverage = nil, nil, nil, nil
	e.given = condition.Request{}
	e.graph.reset()
	e.causes.reset()
	empty(e.results)
	empty(e.fixed)
	evaluations.Put(e)
}

// empty clears a map, which most requests have left empty.
func empty[K comparable, V any](m map[K]V) {
	if len(m) > 0 {
		clear(m)
	}
}

// afterExpiry is the first second that is after all that can expire.
var afterExpiry = time.Date(2554, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// instant returns a time as expiries are kept; what is outside their range is
// before or after all of them.
func instant(t time.Time) uint64 {
	switch seconds := t.Unix(); {
	case seconds < 0:
		return 0
	case seconds >= afterExpiry:
		return math.MaxUint64
	}
	return tuple.Nanoseconds(t)
}

// forget drops all that was found out, so that the memory of one question does
// not weigh on the next.
func (e *evaluation) forget() {
	e.subjects = e.subjects[:0]
	e.subjectOf.reset()
	e.atoms, e.open, e.frames = e.atoms[:0], e.open[:0], e.frames[:0]
	e.atomOf.reset()
	e.pending, e.edges = e.pending[:0], e.edges[:0]
	e.reach.reset()
	e.coverage.forget()
	e.asked = -1
	e.resetEquations()
}

// resetEquations empties the arenas of equations; index 0 of both is none.
func (e *evaluation) resetEquations() {
	e.nodes, e.links = append(e.nodes[:0], node{}), append(e.links[:0], link{})
}
