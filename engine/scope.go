package engine

import (
	"slices"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// carry finds the carriers: what tuples name as usersets, and whatever holds
// because of what could make one of these hold.
func (p *plan) carry(readers *schema.Readers) {
	reads := make([][]tuple.RelationID, len(p.relations)) // what each relation rests on, where the walk upwards follows it
	for i := range p.relations {
		for _, reading := range readers.Of(tuple.RelationID(i)) {
			reads[reading.Relation] = append(reads[reading.Relation], tuple.RelationID(i))
		}
	}
	var work []tuple.RelationID
	add := func(id tuple.RelationID) {
		if r := p.at(id); r != nil && r.scope != carriers {
			r.scope = carriers
			work = append(work, id)
		}
	}
	for i := range p.relations {
		for _, userset := range p.relations[i].usersets {
			add(userset)
		}
	}
	for len(work) > 0 {
		id := work[len(work)-1]
		work = work[:len(work)-1]
		for _, read := range reads[id] {
			add(read)
		}
	}
}

// climbs notes what a walk upwards goes on to from a relation, in either scope.
func (p *plan) climbs(r *relationPlan, readers *schema.Readers) {
	id := r.of.ID
	r.readBy[everything], r.namedBy[everything] = readers.Of(id), readers.Naming(id)
	for _, reading := range r.readBy[everything] {
		if p.relations[reading.Relation].scope == carriers {
			r.readBy[carriers] = append(r.readBy[carriers], reading)
		}
	}
	for _, naming := range r.namedBy[everything] {
		if p.relations[naming].scope == carriers {
			r.namedBy[carriers] = once(r.namedBy[carriers], naming)
		}
	}
	if r.scope != carriers || !r.granted {
		return
	}
	others := slices.ContainsFunc(r.namedBy[carriers], func(naming tuple.RelationID) bool { return naming != id })
	r.closed = len(r.readBy[carriers]) == 0 && !others && r.granting.Certain && r.of.Admits(r.of.Type.ID, id, false, 0, false)
	for i := range r.of.Shapes {
		s := &r.of.Shapes[i]
		t := p.typeAt(s.Type)
		switch {
		case t == nil || s.Relation != 0:
		case s.Wildcard:
			t.wildcards = once(t.wildcards, id)
		default:
			t.objects = once(t.objects, id)
		}
	}
}

// tops says whether a walk upwards goes on to nothing from a relation, but for what
// acts for owners.
func (p *relationPlan) tops() bool {
	return len(p.readBy[everything]) == 0 && len(p.namedBy[everything]) == 0
}

// once appends a relation unless it is the last already.
func once(list []tuple.RelationID, id tuple.RelationID) []tuple.RelationID {
	if n := len(list); n > 0 && list[n-1] == id {
		return list
	}
	return append(list, id)
}

// firstClimbs is how many steps a check takes downwards from the object before
// it walks upwards from its subject as well: to the carriers where it first meets
// a userset, to everything when it has become long. It never changes an answer;
// tests set it to nothing and to never.
var firstClimbs = [everything + 1]uint{carriers: 0, everything: 256}

// climb walks upwards from the subject of the question when the walk downwards
// has become long. It spends twice what was spent downwards, and where
// that is not enough tries again when several times as much was: so it costs no
// more than a constant factor, however large either side is.
func (e *evaluation) climb(within scope) error {
	spent := e.steps - e.begun
	if spent < e.next[within] || e.plain || e.reach.knows(e.asked, within) {
		return nil
	}
	_, err := e.reach.from(e.asked, within, 64+2*int(spent))
	e.next[within] = 4 * (e.steps - e.begun)
	return err
}
