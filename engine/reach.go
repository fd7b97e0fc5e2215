package engine

import (
	"slices"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// reach is everything that a subject may be in, found by walking upwards from
// it: every (object, relation) whose value is not denied is there, and some
// whose value is. So it names the candidates of a lookup, and prunes the walk
// downwards, which need not enter what is not in it.
type reach struct {
	e       *evaluation
	readers *schema.Readers
	atoms   map[atomKey]bool           // whether it is certain that the subject is in
	by      map[everywhere][]tuple.Ref // the atoms of a subject and relation
	all     map[everywhere]bool
	actors  map[int32][]actor // by owner
	queue   []atomKey
	budget  int // how many more edges and atoms may be met; past it the reach is of no use
}

// everywhere is a relation that may hold for a subject on objects that no tuple
// leads to: a fixed userset.
type everywhere struct {
	subject  int32
	relation tuple.RelationID
}

// actor is a subject that acts for an owner.
type actor struct {
	subject int32
	acts    *schema.Acts
}

// reachOf walks upwards from a subject. It returns nil when the budget is spent.
func (e *evaluation) reachOf(subject int32, budget int) (*reach, error) {
	r := &reach{
		e:       e,
		readers: e.schema.Readers(),
		atoms:   map[atomKey]bool{},
		by:      map[everywhere][]tuple.Ref{},
		all:     map[everywhere]bool{},
		actors:  map[int32][]actor{},
		budget:  budget,
	}
	if err := r.begin(subject); err != nil {
		return nil, err
	}
	for len(r.queue) > 0 && r.budget > 0 {
		key := r.queue[len(r.queue)-1]
		r.queue = r.queue[:len(r.queue)-1]
		if err := r.climb(key); err != nil {
			return nil, err
		}
	}
	if r.budget <= 0 {
		return nil, nil
	}
	return r, nil
}

// firstClimb is how many steps a check takes downwards from the object before
// it walks upwards from its subject as well. It never changes an answer; tests
// set it to nothing.
var firstClimb uint = 24

// climb walks upwards from the subject of the question when the walk downwards
// has become long. It spends twice what was spent downwards, and where
// that is not enough tries again when several times as much was: so it costs no
// more than a constant factor, however large either side is.
func (e *evaluation) climb() (err error) {
	spent := e.steps - e.begun
	if e.reached != nil || spent < e.nextClimb {
		return nil
	}
	e.reached, err = e.reachOf(e.asked, 64+2*int(spent))
	e.nextClimb = 4 * (e.steps - e.begun)
	return err
}

// has says whether an atom may be anything but denied.
func (r *reach) has(key atomKey) bool {
	if _, ok := r.actors[key.subject]; !ok {
		return true // not a subject that was walked from
	}
	if _, ok := r.atoms[key]; ok {
		return true
	}
	return r.all[everywhere{key.subject, key.relation}]
}

// usersets returns the usersets that tuples of a relation may name and that the
// subject may be in; false when those cannot be listed.
func (r *reach) usersets(subject int32, of *schema.Relation) ([]tuple.Ref, bool) {
	if _, ok := r.actors[subject]; !ok {
		return nil, false
	}
	var list []tuple.Ref
	for i := range of.Shapes {
		relation := of.Shapes[i].Relation
		if relation == 0 {
			continue
		}
		if r.all[everywhere{subject, relation}] {
			return nil, false
		}
		if seen := slices.ContainsFunc(of.Shapes[:i], func(s schema.Shape) bool { return s.Relation == relation }); seen {
			continue
		}
		list = append(list, r.by[everywhere{subject, relation}]...)
	}
	return list, true
}

// add notes an atom, or that it is certain after all.
func (r *reach) add(key atomKey, certain bool) {
	was, known := r.atoms[key]
	if known && (was || !certain) {
		return
	}
	if !known {
		of := everywhere{key.subject, key.relation}
		r.by[of] = append(r.by[of], tuple.Ref{Node: key.node, Relation: key.relation})
	}
	r.budget--
	r.atoms[key] = certain
	r.queue = append(r.queue, key)
}

// everywhere notes that a relation, and so whatever reads it, may hold anywhere.
func (r *reach) everywhere(at everywhere) {
	work := []everywhere{at}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		if r.all[at] {
			continue
		}
		r.all[at] = true
		for _, reading := range r.readers.Of(at.relation) {
			work = append(work, everywhere{at.subject, reading.Relation})
		}
		for _, relation := range r.readers.Naming(at.relation) {
			work = append(work, everywhere{at.subject, relation})
		}
		for _, a := range r.actors[at.subject] {
			if a.acts.Permissions[at.relation] {
				work = append(work, everywhere{a.subject, at.relation})
			}
		}
	}
}

// begin finds what a subject, and those whom it acts for, are in by themselves.
func (r *reach) begin(subject int32) error {
	r.actors[subject] = nil
	for work := []int32{subject}; len(work) > 0 && r.budget > 0; {
		subject := work[len(work)-1]
		work = work[:len(work)-1]
		owners, err := r.own(subject)
		if err != nil {
			return err
		}
		work = append(work, owners...)
	}
	return nil
}

// own finds what one subject is in by itself and returns its owners that are new.
func (r *reach) own(subject int32) (owners []int32, err error) {
	s := r.e.subjects[subject]
	if s.isObject() && s.typ != nil {
		for i := range s.typ.Acts {
			if owners, err = r.owners(owners, subject, s, &s.typ.Acts[i]); err != nil {
				return nil, err
			}
		}
		for _, reading := range r.readers.Self(s.typ.ID) {
			r.add(atomKey{s.ref.Node, reading.Relation, subject}, reading.Certain && r.plain(s))
		}
	}
	if s.ref.Relation != 0 {
		r.add(atomKey{s.ref.Node, s.ref.Relation, subject}, true)
	}
	if err := r.granted(s.ref, s, subject, true); err != nil {
		return nil, err
	}
	if s.wildcard.Node != 0 {
		if err := r.granted(s.wildcard, s, subject, true); err != nil {
			return nil, err
		}
	}
	return owners, r.sealed(s, subject)
}

// plain says whether tuples alone decide what a subject has: it acts for nobody.
func (r *reach) plain(s subject) bool { return s.typ == nil || len(s.typ.Acts) == 0 }

// sealed finds the sealed usersets that the schema puts the subject in.
func (r *reach) sealed(s subject, subject int32) error {
	for _, reading := range r.readers.Sealed() {
		n, err := r.e.fixedNode(reading.Object)
		if err != nil {
			return err
		}
		if ref := (tuple.Ref{Node: n}); ref != s.ref && (!s.isObject() || ref != s.wildcard) {
			continue
		}
		if err := r.seal(reading, subject, r.plain(s)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reach) seal(reading schema.Reading, subject int32, certain bool) error {
	of := r.e.schema.Relation(reading.Relation)
	n, err := r.e.fixedNode(schema.FixedSubject{Type: of.Type.ID, ID: reading.ID})
	if err == nil {
		r.add(atomKey{n, of.ID, subject}, certain)
	}
	return err
}

// owners appends those whom a subject acts for that were not walked from yet.
func (r *reach) owners(list []int32, actsFor int32, s subject, acts *schema.Acts) ([]int32, error) {
	owner := r.e.schema.Relation(acts.Owner)
	if owner == nil {
		return list, nil
	}
	edges, err := r.e.live(nil, s.ref.Node, owner)
	if err != nil {
		return list, err
	}
	for _, edge := range edges {
		o, err := r.e.subjectNumber(edge.Ref)
		if err != nil {
			return list, err
		}
		r.budget--
		if _, ok := r.actors[o]; !ok {
			list = append(list, o)
		}
		r.actors[o] = append(r.actors[o], actor{actsFor, acts})
	}
	return list, nil
}
