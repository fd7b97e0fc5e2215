package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// reach is everything that subjects may be in, found by walking upwards from
// them: within a scope, every (object, relation) whose value is not denied is
// there, and some whose value is. So it names the candidates of a lookup, and
// prunes the walk downwards, which need not enter what is not in it. What was
// reached by unions and unconditional tuples alone is certain, and need not be
// entered either.
type reach struct {
	e        *evaluation
	atoms    table // to met, where they are many
	met      []reachedAtom
	ends     table // {0, relation, subject} to byEnd
	byEnd    []reachedEnd
	recent   int               // of byEnd: the one that was asked for last
	actors   map[int32][]actor // by owner
	queue    []int32           // of met
	walked   []int32           // the subjects that this climb walks from
	chunk    []tuple.Edge
	groups   [closureSize]tuple.Node // room for a closure
	declined bool                    // no closure is tried again in this climb
	epoch    uint32                  // subjects of another one are not known
	scope    scope                   // of the climb that is under way
	budget   int                     // how many more edges and atoms may be met; past it the climb is of no use

	// goal is the relation that a lookup looks for, where nothing rests on it. Its
	// atoms are by far the most: they are listed, perhaps twice, and not found by key.
	goal tuple.RelationID
}

// reachedAtom is an atom that may hold.
type reachedAtom struct {
	key     atomKey
	certain bool
	next    int32 // the next in met of the same relation and subject; -1 is none
}

// reachedEnd gathers the atoms of a relation and a subject.
type reachedEnd struct {
	relation   tuple.RelationID
	subject    int32
	first      int32 // in met; -1 is none
	count      int32
	everywhere bool // it may hold on objects that no tuple leads to: a fixed userset
}

// actor is a subject that acts for an owner.
type actor struct {
	subject int32
	acts    *schema.Acts
}

// chance is what a reach says of an atom.
type chance uint8

const (
	open    chance = iota // nothing is known
	none                  // it is denied
	maybe                 // it may hold
	certain               // it holds
)

// chance says what is known of an atom.
func (r *reach) chance(key atomKey, p *relationPlan) chance {
	s := &r.e.subjects[key.subject]
	if s.reached == nothing || s.epoch != r.epoch || s.reached < p.scope {
		return open
	}
	if key.relation == r.goal {
		return maybe
	}
	if i, ok := r.find(key); ok {
		if r.met[i].certain {
			return certain
		}
		return maybe
	}
	if end := r.end(key.relation, key.subject); end != nil && end.everywhere {
		return maybe
	}
	return none
}

// knows says whether all is known that a subject may be in, within a scope.
func (r *reach) knows(subject int32, least scope) bool {
	s := &r.e.subjects[subject]
	return s.epoch == r.epoch && s.reached >= least
}

// end returns what is known of a relation and a subject, or nil.
func (r *reach) end(relation tuple.RelationID, subject int32) *reachedEnd {
	if i, ok := r.ends.get(atomKey{0, relation, subject}); ok {
		return &r.byEnd[i]
	}
	return nil
}

// endFor returns what is known of a relation and a subject, new where it is nothing.
func (r *reach) endFor(relation tuple.RelationID, subject int32) *reachedEnd {
	if r.recent < len(r.byEnd) { // a walk through groups meets one relation again and again
		if end := &r.byEnd[r.recent]; end.relation == relation && end.subject == subject {
			return end
		}
	}
	i, ok := r.ends.get(atomKey{0, relation, subject})
	if !ok {
		i = int32(len(r.byEnd))
		r.ends.put(atomKey{0, relation, subject}, i)
		r.byEnd = append(r.byEnd, reachedEnd{relation: relation, subject: subject, first: -1})
	}
	r.recent = int(i)
	return &r.byEnd[i]
}

// reset forgets all that was reached.
func (r *reach) reset() {
	r.atoms.reset()
	r.ends.reset()
	r.met, r.byEnd, r.queue, r.walked = r.met[:0], r.byEnd[:0], r.queue[:0], r.walked[:0]
	empty(r.actors)
	r.epoch++
}

// from walks upwards from a subject, within a scope, and says whether the budget
// was enough.
func (r *reach) from(subject int32, within scope, budget int) (bool, error) {
	s := &r.e.subjects[subject]
	if r.knows(subject, within) {
		return true, nil
	}
	if s.acts || s.epoch == r.epoch && s.reached != nothing || len(r.met) > r.e.limit {
		r.reset() // what was reached without its actors or in another scope is half of it
	}
	r.scope, r.budget, r.walked, r.declined = within, budget, r.walked[:0], false
	if err := r.climbFrom(subject); err != nil {
		r.reset()
		return false, err
	}
	if r.budget <= 0 {
		r.reset()
		return false, nil
	}
	for _, i := range r.walked {
		s := &r.e.subjects[i]
		s.reached, s.epoch = within, r.epoch
	}
	return true, nil
}

func (r *reach) climbFrom(subject int32) error {
	r.walked = append(r.walked, subject)
	for i := 0; i < len(r.walked) && r.budget > 0; i++ { // it grows by owners
		if err := r.own(r.walked[i]); err != nil {
			return err
		}
	}
	for at := 0; at < len(r.queue) && r.budget > 0; at++ { // first come first, since their memory is on its way
		i := r.queue[at]
		if err := r.climb(r.met[i].key, r.met[i].certain); err != nil {
			return err
		}
	}
	r.queue = r.queue[:0]
	return nil
}

// fewMet is how many atoms are found by going through them, before they have a table.
const fewMet = 12

// find returns where an atom stands in met. Where there is a goal, met is long, and
// the others have a table from the first on.
func (r *reach) find(key atomKey) (int32, bool) {
	if len(r.met) > fewMet || r.goal != 0 {
		return r.atoms.get(key)
	}
	for i := range r.met {
		if r.met[i].key == key {
			return int32(i), true
		}
	}
	return 0, false
}

// number makes the newest atom of met one that find finds.
func (r *reach) number(i int32) {
	switch {
	case r.goal != 0:
	case i < fewMet:
		return
	case i == fewMet:
		for j := range i {
			r.atoms.put(r.met[j].key, j)
		}
	}
	r.atoms.put(r.met[i].key, i)
}

// add notes an atom, or that it is certain after all.
func (r *reach) add(key atomKey, sure bool) {
	if key.relation == r.goal {
		r.list(key, sure)
		r.budget--
		return
	}
	i, known := r.find(key)
	switch {
	case !known:
		i = r.list(key, sure)
		r.number(i)
	case sure && !r.met[i].certain:
		r.met[i].certain = true
	default:
		return
	}
	r.budget--
	r.queue = append(r.queue, i)
}

// list adds an atom to those of its relation and subject.
func (r *reach) list(key atomKey, sure bool) int32 {
	i, end := int32(len(r.met)), r.endFor(key.relation, key.subject)
	r.met = append(r.met, reachedAtom{key, sure, end.first})
	end.first = i
	end.count++
	return i
}

// everywhere notes that a relation, and so whatever reads it, may hold anywhere.
func (r *reach) everywhere(relation tuple.RelationID, subject int32) {
	work := []atomKey{{0, relation, subject}}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		end := r.endFor(at.relation, at.subject)
		if end.everywhere {
			continue
		}
		end.everywhere = true
		r.budget--
		p := r.e.plan.at(at.relation)
		for _, reading := range p.readBy[r.scope] {
			work = append(work, atomKey{0, reading.Relation, at.subject})
		}
		for _, naming := range p.namedBy[r.scope] {
			work = append(work, atomKey{0, naming, at.subject})
		}
		for _, a := range r.actors[at.subject] {
			if a.acts.Permissions[at.relation] {
				work = append(work, atomKey{0, at.relation, a.subject})
			}
		}
	}
}

// usersets says how many usersets that tuples of a relation may name the subject
// may be in; false when those cannot be listed.
func (r *reach) usersets(subject int32, of *relationPlan) (n int, listed bool) {
	for _, relation := range of.usersets {
		if end := r.end(relation, subject); end != nil {
			if end.everywhere {
				return 0, false
			}
			n += int(end.count)
		}
	}
	return n, true
}

// first returns the first of the atoms of a relation and subject that were met,
// in met; -1 is none.
func (r *reach) first(relation tuple.RelationID, subject int32) int32 {
	if end := r.end(relation, subject); end != nil {
		return end.first
	}
	return -1
}
