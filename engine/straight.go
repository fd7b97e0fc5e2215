package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Most questions go straight: the tuples of an object say the answer, or which
// one atom has the same value, as a folder's parent has where the folder itself
// grants nothing. These need no stack, no memory of where the walk has been and
// no equations, so they are gone through first. What branches is left to the walk.

// sighting is what the tuples of one object say of a subject.
type sighting struct {
	form  *form
	key   atomKey
	row   *row
	seen  uint64  // the relations that have tuples
	holds uint64  // those whose tuples hold the subject
	open  uint64  // those whose tuples may hold it
	next  atomKey // what the verdict leads to

	thorough bool // conditions are asked for, and what usersets the subject is in is known if it can be
	later    bool // a thorough look would say more
}

// verdict is what a sighting makes of a term.
type verdict uint8

const (
	no      verdict = iota
	yes             // it holds
	leads           // it has the value of one atom of another object
	unclear         // only the walk can tell
)

// mostStraight is how many objects are gone through at most, so that a circle ends.
const mostStraight = 64

// straight follows an atom for as long as one object's tuples decide it or lead to
// one other atom. It returns the value, or the atom that has the same.
func (e *evaluation) straight(key atomKey) (at atomKey, v value, done bool, err error) {
	if s := &e.subjects[key.subject]; e.plain || s.acts || s.typ == nil || !s.isObject() {
		return key, v, false, nil
	}
	for range mostStraight {
		p := e.plan.at(key.relation)
		if p == nil || p.form == nil {
			return key, v, false, nil
		}
		if id, ok := e.atomOf.get(key); ok && e.atoms[id].final {
			return key, e.atoms[id].value, true, nil
		}
		row, whole, err := e.graph.wholeRow(key.node)
		if err != nil || !whole {
			return key, v, false, err
		}
		at := sighting{form: p.form, key: key, row: row}
		verdict, err := e.judge(&at)
		switch {
		case err != nil:
			return key, v, false, err
		case verdict == no:
			return key, never, true, nil
		case verdict == yes:
			return key, always, true, nil
		case verdict == unclear:
			return key, v, false, nil
		}
		key = at.next
	}
	return key, v, false, nil
}

// judge looks at an object's tuples, and again where the first look does not suffice.
func (e *evaluation) judge(at *sighting) (verdict, error) {
	if err := e.sight(at); err != nil {
		return unclear, err
	}
	v := e.weigh(&at.form.root, at)
	if v == no || v == yes || !at.later {
		return v, nil
	}
	if err := e.climb(carriers); err != nil { // it may read other rows
		return unclear, err
	}
	if _, err := e.graph.read(at.key.node); err != nil {
		return unclear, err
	}
	*at = sighting{form: at.form, key: at.key, row: at.row, thorough: true}
	if err := e.sight(at); err != nil {
		return unclear, err
	}
	return e.weigh(&at.form.root, at), nil
}

// sight notes what the tuples of the row say of the subject.
func (e *evaluation) sight(at *sighting) error {
	s := &e.subjects[at.key.subject]
	for i := range at.row.edges[:at.row.count] {
		edge := &at.row.edges[i]
		bit := at.form.bit(edge.Relation)
		if bit == 0 {
			continue
		}
		if err := e.pace(); err != nil {
			return err
		}
		at.seen |= bit
		if at.holds&bit != 0 {
			continue
		}
		switch e.named(at, s, edge) {
		case certain:
			at.holds |= bit
		case none:
		default:
			at.open |= bit
		}
	}
	return nil
}

// named says what the subject has of one tuple.
func (e *evaluation) named(at *sighting, s *subject, edge *tuple.Edge) chance {
	of, found := e.plan.at(edge.Relation), certain
	switch {
	case edge.Ref == s.ref || edge.Ref == s.wildcard:
		if !e.admitted(edge, of.of, s.typ.ID, edge.Ref != s.ref) {
			return none
		}
	case edge.Ref.Relation == 0:
		return none
	default:
		target := e.plan.at(edge.Ref.Relation)
		if target == nil || !e.admitted(edge, of.of, target.of.Type.ID, false) {
			return none
		}
		found = e.reach.chance(atomKey{edge.Ref.Node, edge.Ref.Relation, at.key.subject}, target)
	}
	switch {
	case found == open:
		at.later = at.later || !at.thorough
	case found != none && edge.Condition != 0:
		return e.conditional(at, edge, found)
	}
	return found
}

// conditional is what is left of a chance under a tuple's condition.
func (e *evaluation) conditional(at *sighting, edge *tuple.Edge, found chance) chance {
	if !at.thorough {
		at.later = true
		return open
	}
	switch e.guard(edge) {
	case never:
		return none
	case always:
		return found
	}
	return open
}

// weigh says what a term is by what was seen.
func (e *evaluation) weigh(t *term, at *sighting) verdict {
	v := no
	switch t.kind {
	case ofTuples:
		return at.tuples(t)
	case ofSelf:
		if e.subjects[at.key.subject].ref == (tuple.Ref{Node: at.key.node}) {
			v = yes
		}
	case ofArrow:
		if at.seen&t.bits != 0 {
			v = e.leading(t.expr, at)
		}
	case ofAny:
		v = e.weighParts(t.parts, at, no, yes)
	case ofAll:
		v = e.weighParts(t.parts, at, yes, no)
	case ofWalk:
		v = unclear
	}
	if t.negated {
		return v.not()
	}
	return v
}

// tuples is weigh for a term that is tuples, as most are.
func (at *sighting) tuples(t *term) verdict {
	v := no
	if at.holds&t.bits != 0 {
		v = yes
	} else if at.open&t.bits != 0 {
		v = unclear
	}
	if t.negated {
		return v.not()
	}
	return v
}

func (v verdict) not() verdict {
	return [...]verdict{no: yes, yes: no, leads: unclear, unclear: unclear}[v]
}

// weighParts says what any or all of some terms are: neutral is what changes
// nothing, absorbing what decides. One part that leads on is the whole where no
// other says anything.
func (e *evaluation) weighParts(parts []term, at *sighting, neutral, absorbing verdict) verdict {
	v, next := neutral, at.key
	for i := range parts {
		t, part := &parts[i], no
		if t.kind == ofTuples {
			part = at.tuples(t)
		} else {
			part = e.weigh(t, at)
		}
		switch {
		case part == absorbing:
			return absorbing
		case part == neutral:
		case v == neutral:
			v, next = part, at.next
		case part != leads || v != leads || next != at.next:
			v = unclear
		}
	}
	at.next = next
	return v
}

// leading says what an arrow comes to.
func (e *evaluation) leading(x *schema.Expr, at *sighting) verdict {
	of, v := e.plan.at(x.Relation), no
	for i := range at.row.edges[:at.row.count] {
		edge := &at.row.edges[i]
		if edge.Relation != x.Relation {
			continue
		}
		t, star, err := e.typeOf(edge.Ref)
		if err != nil {
			return unclear // the walk tells it
		}
		target := x.Target(t)
		if star || target == 0 || !e.admitted(edge, of.of, t, false) {
			continue
		}
		sure := certain
		if edge.Condition != 0 {
			sure = e.conditional(at, edge, certain)
		}
		child := atomKey{edge.Ref.Node, target, at.key.subject}
		switch {
		case sure == none:
		case v == no && sure == certain:
			v, at.next = leads, child
		case v != leads || sure != certain || child != at.next:
			v = unclear
		}
	}
	return v
}
