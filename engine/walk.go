package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The walk finds the value of one atom (is this subject in this object#relation?)
// with a stack of its own, so that no depth of groups overflows Go's. An atom
// that is met again while it is open stands as an unknown of an equation, never
// as a value; Tarjan's algorithm says when the atoms of a cycle are complete,
// and their equations are solved together then (component.go).

// frame is one open piece of the walk.
type frame struct {
	kind  frameKind
	op    operator
	atom  int32    // the atom whose rewrite this is part of
	expr  *rewrite // operands frames: the operator; atom frames: the rewrite, where it is what is asked
	pos   int32    // which operand or pending atom comes next
	start int32    // children frames: where in pending theirs begin
	end   int32    // children frames: where they end
	why   why      // the cause that guards the atom that is being asked for; 0: none does
	links int32    // operands so far that are still open
	acc   value    // operands so far that are final
	nodes int32    // atom frames: how long the arenas of equations were before
	lists int32
}

type frameKind uint8

const (
	atomFrame     frameKind = iota // an atom: its rewrite, then the closing of its cycle
	operandsFrame                  // an operator over expressions
	childrenFrame                  // an operator over atoms: groups, arrows, owners
)

// pending is an atom that a frame still has to ask for, with the cause that
// makes the tuple leading there uncertain.
type pending struct {
	key atomKey
	why why
}

// result is what a piece of the walk has come to: a value, or while open is set
// something that only the closing of a cycle decides.
type result struct {
	value value
	open  ref
}

// solve returns the final value of an atom.
func (e *evaluation) solve(key atomKey) (value, error) {
	v, err := e.run(key)
	if err != nil {
		e.forget() // what is half done must not be taken up again
	}
	return v, err
}

func (e *evaluation) run(key atomKey) (value, error) {
	key, v, done, err := e.straight(key)
	if done || err != nil {
		return v, err
	}
	r, pushed, err := e.request(key, -1)
	if err != nil || !pushed {
		return r.value, err
	}
	return e.drain()
}

// expression returns the final value of a part of an atom's rewrite, once the
// atom itself is final.
func (e *evaluation) expression(x *schema.Expr, id int32) (value, error) {
	r, pushed, err := e.start(e.plan.rewrites[x], id)
	if err != nil || !pushed {
		return r.value, err
	}
	return e.drain()
}

// drain walks until the stack is empty and returns what its lowest frame came to.
func (e *evaluation) drain() (value, error) {
	for {
		r, done, err := e.advance(&e.frames[len(e.frames)-1])
		if err != nil {
			return never, err
		}
		if !done {
			continue
		}
		if len(e.frames) == 0 {
			return r.value, nil
		}
		e.fold(&e.frames[len(e.frames)-1], r)
	}
}

// advance takes a frame as far as it goes without an answer that is not there
// yet. It has either pushed a frame, or (done) popped its own.
func (e *evaluation) advance(f *frame) (r result, done bool, err error) {
	pushed := false
	for !f.complete() {
		switch f.kind {
		case atomFrame:
			r, pushed, err = e.body(f)
		case operandsFrame:
			x := e.operand(f, f.pos)
			f.pos++
			r, pushed, err = e.start(x, f.atom)
		case childrenFrame:
			p := &e.pending[f.pos]
			f.pos++
			f.why = p.why
			r, pushed, err = e.request(p.key, f.atom)
		}
		if err != nil || pushed {
			return result{}, false, err
		}
		e.fold(f, r)
	}
	if f.kind == atomFrame {
		r, err = e.finish(f)
		return r, true, err
	}
	r = e.conclude(f)
	if f.kind == childrenFrame {
		e.pending = e.pending[:f.start]
	}
	e.frames = e.frames[:len(e.frames)-1]
	return r, true, nil
}

// complete says whether nothing that a frame has not looked at can change it:
// short-circuits go by final values alone.
func (f *frame) complete() bool {
	switch f.kind {
	case atomFrame:
		return f.pos > 0
	case operandsFrame:
		if int(f.pos) == len(f.expr.operands) {
			return true
		}
	case childrenFrame:
		if f.pos == f.end {
			return true
		}
	}
	return f.decided()
}

// operand returns an operand in the order in which they are asked for.
func (e *evaluation) operand(f *frame, i int32) *rewrite {
	if e.plain {
		return f.expr.operands[i]
	}
	return f.expr.cheapest[i]
}

func (f *frame) decided() bool {
	if f.op == anyOf {
		return f.acc.lower == holds
	}
	return f.acc.upper == denied
}

// fold takes the result of an operand into its frame.
func (e *evaluation) fold(f *frame, r result) {
	if e.coverage != nil {
		e.coverage.result(f, e.atoms[f.atom].key, r)
	}
	if f.why != 0 {
		r = e.guarded(f.why, r)
		f.why = 0
	}
	if f.kind == operandsFrame && e.operand(f, f.pos-1).negated {
		r = e.negated(r)
	}
	switch {
	case r.open != 0:
		f.links = e.link(r.open, f.links)
	case f.op == anyOf:
		f.acc = e.or(f.acc, r.value)
	default:
		f.acc = e.and(f.acc, r.value)
	}
}

// conclude turns what a frame has gathered into its result.
func (e *evaluation) conclude(f *frame) result {
	if f.links == 0 || f.decided() {
		return result{value: f.acc}
	}
	neutral := f.op == anyOf && f.acc == never || f.op == allOf && f.acc == always
	if l := e.links[f.links]; neutral && l.next == 0 {
		return result{open: l.to}
	}
	return result{open: e.equation(node{op: f.op, acc: f.acc, links: f.links})}
}

// body starts on what an atom is: the operands that its owners, the schema's
// sealing or its rewrite give.
func (e *evaluation) body(f *frame) (result, bool, error) {
	f.pos = 1
	id := f.atom
	key := e.atoms[id].key
	s := &e.subjects[key.subject]
	p := e.plan.at(key.relation)
	if s.ref == (tuple.Ref{Node: key.node, Relation: key.relation}) {
		return result{value: always}, false, nil // every userset is a member of itself
	}
	if p == nil || p.rewrite == nil {
		return result{value: never}, false, nil
	}
	r := p.of
	if acts, listed := s.acting(r); acts {
		if !listed {
			return result{value: never}, false, nil
		}
		return e.owners(id, r)
	}
	if len(r.Sealed) > 0 {
		_, object, err := e.graph.Object(key.node)
		if err != nil {
			return result{}, false, err
		}
		if fixed, ok := r.Sealed[object]; ok {
			return e.sealed(id, fixed)
		}
	}
	f.expr = p.rewrite
	return e.start(p.rewrite, id)
}

// start is the one switch over the kinds of a rewrite: it answers at once, or
// pushes the frame that will.
func (e *evaluation) start(x *rewrite, id int32) (result, bool, error) {
	e.coverage.walk(x.Expr)
	key := e.atoms[id].key
	switch x.Kind {
	case schema.Self:
		if e.subjects[key.subject].ref == (tuple.Ref{Node: key.node}) {
			return result{value: always}, false, nil
		}
		return result{value: never}, false, nil
	case schema.Computed:
		return e.request(atomKey{key.node, x.Relation, key.subject}, id)
	case schema.Fixed:
		n, err := e.fixedNode(x.Object)
		if err != nil {
			return result{}, false, err
		}
		return e.request(atomKey{n, x.Relation, key.subject}, id)
	case schema.Direct:
		return e.direct(id)
	case schema.Arrow, schema.Every:
		return e.arrow(x, id)
	case schema.Union:
		e.frames = append(e.frames, frame{kind: operandsFrame, op: anyOf, acc: never, expr: x, atom: id})
		return result{}, true, nil
	case schema.Intersection, schema.Exclusion:
		e.frames = append(e.frames, frame{kind: operandsFrame, op: allOf, acc: always, expr: x, atom: id})
		return result{}, true, nil
	}
	return result{value: never}, false, nil // Nobody, and whatever no version of the language has
}

// finish closes an atom's frame: a final value where nothing open is left, else
// its equation, and with the lowest atom of a cycle the whole cycle.
func (e *evaluation) finish(f *frame) (result, error) {
	id := f.atom
	a := &e.atoms[id]
	if f.links == 0 {
		e.settle(a, f.acc)
	} else {
		a.body = e.links[f.links].to
	}
	if a.low == id {
		if err := e.closePart(id, f.nodes, f.lists); err != nil {
			return result{}, err
		}
	}
	e.frames = e.frames[:len(e.frames)-1]
	if n := len(e.frames); n > 0 {
		parent := &e.atoms[e.frames[n-1].atom]
		if a.low != id {
			parent.low = min(parent.low, a.low)
		}
	}
	if a.final {
		return result{value: a.value}, nil
	}
	return result{open: atomRef(id)}, nil
}

// settle makes a value final.
func (e *evaluation) settle(a *atom, v value) {
	e.settled++
	a.value, a.final, a.order = v, true, e.settled
	e.coverage.settle(a.key, v)
}
