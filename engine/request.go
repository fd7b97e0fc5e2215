package engine

import "github.com/pemba-authz/pemba/schema/tuple"

// request asks for an atom on behalf of another: its value, its equation while
// it is open, or a new frame that will find out. What the subject's reach or the
// relation's own tuples decide needs neither atom nor frame.
func (e *evaluation) request(key atomKey, reader int32) (r result, pushed bool, err error) {
	p := e.plan.at(key.relation)
	short := p != nil && !e.plain && !e.subjects[key.subject].acts
	if short && p.same != nil && e.subjects[key.subject].ref.Relation == 0 {
		p = p.same
		key.relation = p.of.ID
	}
	if short && p.direct { // looking again costs less than knowing that it was looked up
		if done, r, err := e.glance(key, p); done || err != nil {
			return r, false, err
		}
	}
	if id, ok := e.atomOf.get(key); ok {
		a := &e.atoms[id]
		if a.final {
			return result{value: a.value}, false, nil
		}
		e.atoms[reader].low = min(e.atoms[reader].low, id)
		return result{open: atomRef(id)}, false, nil
	}
	if short && p.direct {
		return e.tuples(key, p)
	}
	if done, r, err := e.reached(key, p); done || err != nil {
		return r, false, err
	}
	if err := e.enter(key); err != nil {
		return result{}, false, err
	}
	return result{}, true, nil
}

// glance answers for a relation that is its own tuples where the object has none,
// or where the subject's reach says it.
func (e *evaluation) glance(key atomKey, p *relationPlan) (done bool, r result, err error) {
	if done, r, err = e.reached(key, p); done || err != nil {
		return done, r, err
	}
	if e.subjects[key.subject].ref.Relation != 0 { // it may be this very userset
		return false, result{}, nil
	}
	done, err = e.graph.lacks(key.node, key.relation)
	return done, result{value: never}, err
}

// reached answers for an atom by what is known of what its subject may be in.
func (e *evaluation) reached(key atomKey, p *relationPlan) (done bool, r result, err error) {
	if err := e.pace(); err != nil || p == nil || e.plain {
		return false, result{}, err
	}
	if err := e.climb(everything); err != nil {
		return false, result{}, err
	}
	switch e.reach.chance(key, p) {
	case none:
		return true, result{value: never}, nil
	case certain:
		return true, result{value: always}, nil
	}
	return false, result{}, nil
}

// enter makes an atom and the frame that will find its value.
func (e *evaluation) enter(key atomKey) error {
	if len(e.atoms) >= e.most {
		return budgetError(e.limit)
	}
	id := int32(len(e.atoms))
	e.atoms = append(e.atoms, atom{key: key, low: id})
	e.atomOf.put(key, id)
	e.open = append(e.open, id)
	e.frames = append(e.frames, frame{kind: atomFrame, atom: id, nodes: int32(len(e.nodes)), lists: int32(len(e.links))})
	return nil
}

// tuples answers for a relation that is its own tuples and no more: at once where
// these lead to no atom that is to be asked for.
func (e *evaluation) tuples(key atomKey, p *relationPlan) (r result, pushed bool, err error) {
	s := &e.subjects[key.subject]
	if s.ref.Relation != 0 && s.ref == (tuple.Ref{Node: key.node, Relation: key.relation}) {
		return result{value: always}, false, nil
	}
	start, before := len(e.pending), e.steps
	acc, err := e.look(key, p)
	if err != nil {
		return result{}, false, err
	}
	if len(e.pending) == start && e.steps-before <= freeSteps {
		return result{value: acc}, false, nil
	}
	if err := e.enter(key); err != nil {
		return result{}, false, err
	}
	f := &e.frames[len(e.frames)-1]
	f.pos = 1
	if len(e.pending) == start {
		f.acc = acc
		return result{}, true, nil
	}
	e.frames = append(e.frames, frame{kind: childrenFrame, op: anyOf, acc: acc, atom: f.atom,
		start: int32(start), pos: int32(start), end: int32(len(e.pending))})
	return result{}, true, nil
}

// freeSteps is how many steps an atom may cost each time that it is asked for;
// what cost more is kept.
const freeSteps = 8
