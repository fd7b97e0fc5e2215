package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// own finds what one subject is in by itself, and its owners.
func (r *reach) own(subject int32) error {
	s := r.e.subjects[subject]
	plain := !s.acts
	if s.isObject() && s.typ != nil {
		for i := range s.typ.Acts {
			if err := r.owners(subject, s, &s.typ.Acts[i]); err != nil {
				return err
			}
		}
		for _, reading := range r.e.plan.types[s.typ.ID].self[r.scope] {
			r.add(atomKey{s.ref.Node, reading.Relation, subject}, reading.Certain && plain)
		}
	}
	if s.ref.Relation != 0 {
		if p := r.e.plan.at(s.ref.Relation); p != nil && p.scope <= r.scope {
			r.add(atomKey{s.ref.Node, s.ref.Relation, subject}, true)
		}
	}
	if err := r.granted(s.ref, subject, true); err != nil {
		return err
	}
	if s.wildcard.Node != 0 {
		if err := r.granted(s.wildcard, subject, true); err != nil {
			return err
		}
	}
	return r.sealed(s, subject)
}

// sealed finds the sealed usersets that the schema puts the subject in.
func (r *reach) sealed(s subject, subject int32) error {
	for _, reading := range r.e.plan.sealed {
		n, err := r.e.fixedNode(reading.Object)
		if err != nil {
			return err
		}
		if ref := (tuple.Ref{Node: n}); ref != s.ref && (!s.isObject() || ref != s.wildcard) {
			continue
		}
		if err := r.seal(reading, subject, !s.acts); err != nil {
			return err
		}
	}
	return nil
}

func (r *reach) seal(reading schema.Reading, subject int32, sure bool) error {
	of := r.e.plan.at(reading.Relation)
	if of.scope > r.scope {
		return nil
	}
	n, err := r.e.fixedNode(schema.FixedSubject{Type: of.of.Type.ID, ID: reading.ID})
	if err == nil {
		r.add(atomKey{n, of.of.ID, subject}, sure)
	}
	return err
}

// owners notes those whom a subject acts for, and walks from those that are new.
func (r *reach) owners(actsFor int32, s subject, acts *schema.Acts) error {
	owner := r.e.schema.Relation(acts.Owner)
	if owner == nil {
		return nil
	}
	edges, err := r.e.live(nil, s.ref.Node, owner)
	if err != nil {
		return err
	}
	if r.actors == nil {
		r.actors = map[int32][]actor{}
	}
	for _, edge := range edges {
		o, err := r.e.subjectNumber(edge.Ref)
		if err != nil {
			return err
		}
		r.budget--
		if _, ok := r.actors[o]; !ok && o != r.walked[0] {
			r.walked = append(r.walked, o)
		}
		r.actors[o] = append(r.actors[o], actor{actsFor, acts})
	}
	return nil
}

// climb follows all that may hold because an atom does.
func (r *reach) climb(key atomKey, sure bool) error {
	p, plain := r.e.plan.at(key.relation), !r.e.subjects[key.subject].acts
	if len(p.namedBy[r.scope]) > 0 {
		if err := r.granted(tuple.Ref{Node: key.node, Relation: key.relation}, key.subject, sure); err != nil {
			return err
		}
	}
	for _, a := range r.actors[key.subject] {
		if a.acts.Permissions[key.relation] && p.of.Type.ID == a.acts.On {
			r.add(atomKey{key.node, key.relation, a.subject}, false)
		}
	}
	for i := range p.readBy[r.scope] {
		reading := &p.readBy[r.scope][i]
		sure := sure && reading.Certain && plain
		switch reading.Kind {
		case schema.Computed:
			r.add(atomKey{key.node, reading.Relation, key.subject}, sure)
		case schema.Arrow, schema.Every:
			if err := r.arrow(key, reading, sure); err != nil {
				return err
			}
		case schema.Fixed, schema.Nobody:
			n, err := r.e.fixedNode(reading.Object)
			if err != nil {
				return err
			}
			switch {
			case n != key.node:
			case reading.Kind == schema.Fixed:
				r.everywhere(reading.Relation, key.subject)
			default:
				if err := r.seal(*reading, key.subject, sure); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// arrow follows tuples backwards to the objects whose arrows lead to an atom.
func (r *reach) arrow(key atomKey, reading *schema.Reading, sure bool) error {
	tupleset := r.e.plan.at(reading.Tupleset)
	if err := r.follow(tuple.Ref{Node: key.node}, tupleset, reading.Relation, key.subject, sure); err != nil {
		return err
	}
	for _, relation := range reading.Usersets {
		if err := r.follow(tuple.Ref{Node: key.node, Relation: relation}, tupleset, reading.Relation, key.subject, sure); err != nil {
			return err
		}
	}
	return nil
}

// granted notes every object#relation that tuples put a subject in: ref is the
// subject itself, its wildcard, or a userset that holds it. Within carriers it
// reads no other relations.
func (r *reach) granted(ref tuple.Ref, subject int32, sure bool) error {
	if r.scope == everything {
		return r.follow(ref, nil, 0, subject, sure)
	}
	var relations []tuple.RelationID
	if ref.Relation != 0 {
		if p := r.e.plan.at(ref.Relation); p != nil {
			relations = p.namedBy[r.scope]
		}
	} else {
		t, star, err := r.e.graph.Type(ref.Node)
		if err != nil {
			return err
		}
		if at := r.e.plan.typeAt(t); at != nil && star {
			relations = at.wildcards
		} else if at != nil {
			relations = at.objects
		}
	}
	for _, relation := range relations {
		of := r.e.plan.at(relation)
		if of.closed && sure && !r.declined {
			if done, err := r.close(ref, of, subject); err != nil {
				return err
			} else if done {
				continue
			}
		}
		if err := r.follow(ref, of, 0, subject, sure); err != nil {
			return err
		}
	}
	return nil
}

// closureSize is the most groups that are followed at once.
const closureSize = 64

// close follows at once all that a subject is in by a relation that leads, among
// the carriers, to itself alone: the groups, and the groups that these are in. So
// none of them is climbed from. It may not be able to.
func (r *reach) close(ref tuple.Ref, of *relationPlan, subject int32) (done bool, err error) {
	if len(r.actors) > 0 || r.e.subjects[subject].acts {
		return false, nil
	}
	t, star, err := r.e.typeOf(ref)
	if err != nil || !of.of.Admits(t, ref.Relation, star, 0, false) {
		return false, err
	}
	n, ok, err := r.e.graph.Closure(ref, of.of.ID, r.groups[:])
	if err != nil || !ok {
		r.declined = true // and would again, from each group on the way
		return false, err
	}
	first, waiting := len(r.met) == 0, len(r.queue)
	for _, node := range r.groups[:n] {
		if err := r.e.pace(); err != nil {
			return false, err
		}
		if key := (atomKey{node, of.of.ID, subject}); first { // then each is new
			r.budget--
			r.number(r.list(key, true))
		} else {
			r.add(key, true)
		}
	}
	r.queue = r.queue[:waiting]
	return true, nil
}

// follow reads the tuples of a relation (nil: of any) that name ref, and notes
// what they lead to: that relation itself, or the one (to) whose arrow walks it.
func (r *reach) follow(ref tuple.Ref, of *relationPlan, to tuple.RelationID, subject int32, sure bool) error {
	t, star, err := r.e.typeOf(ref)
	if err != nil {
		return err
	}
	var relation tuple.RelationID
	if of != nil {
		relation = of.of.ID
	}
	plain := !r.e.subjects[subject].acts
	if r.chunk == nil {
		r.chunk = make([]tuple.Edge, chunkSize)
	}
	for from := tuple.Cursor(0); ; {
		n, next, err := r.e.graph.Objects(ref, relation, from, r.chunk)
		if err != nil {
			return err
		}
		for i := range r.chunk[:n] {
			if err := r.e.pace(); err != nil {
				return err
			}
			if r.budget--; r.budget < 0 {
				return nil
			}
			end := r.chunk[i].Ref
			p := r.e.plan.at(end.Relation)
			if p == nil || to == 0 && (!p.granted || p.scope > r.scope) {
				continue
			}
			switch worth := r.worth(&r.chunk[i], p, ref, t, star); {
			case worth == denied:
			case to != 0:
				r.add(atomKey{end.Node, to, subject}, sure && worth == holds)
			default:
				r.add(atomKey{end.Node, end.Relation, subject}, sure && p.granting.Certain && worth == holds && plain)
			}
		}
		if from = next; from == 0 {
			return nil
		}
	}
}

// worth says what an edge walked backwards is worth: denied when it does not
// count at all. It turns the edge round.
func (r *reach) worth(edge *tuple.Edge, of *relationPlan, ref tuple.Ref, t tuple.TypeID, star bool) truth {
	edge.Ref = ref
	if !r.e.admitted(edge, of.of, t, star) {
		return denied
	}
	return r.e.guard(edge).lower
}
