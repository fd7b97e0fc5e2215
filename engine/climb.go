package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// climb follows all that may hold because an atom does.
func (r *reach) climb(key atomKey) error {
	s := r.e.subjects[key.subject]
	certain := r.atoms[key]
	if err := r.granted(tuple.Ref{Node: key.node, Relation: key.relation}, s, key.subject, certain); err != nil {
		return err
	}
	for _, a := range r.actors[key.subject] {
		if a.acts.Permissions[key.relation] {
			if of := r.e.schema.Relation(key.relation); of.Type.ID == a.acts.On {
				r.add(atomKey{key.node, key.relation, a.subject}, false)
			}
		}
	}
	for _, reading := range r.readers.Of(key.relation) {
		sure := certain && reading.Certain && r.plain(s)
		switch reading.Kind {
		case schema.Computed:
			r.add(atomKey{key.node, reading.Relation, key.subject}, sure)
		case schema.Fixed:
			n, err := r.e.fixedNode(reading.Object)
			if err != nil {
				return err
			}
			if n == key.node {
				r.everywhere(everywhere{key.subject, reading.Relation})
			}
		case schema.Nobody:
			n, err := r.e.fixedNode(reading.Object)
			if err != nil {
				return err
			}
			if n == key.node {
				if err := r.seal(reading, key.subject, sure); err != nil {
					return err
				}
			}
		case schema.Arrow, schema.Every:
			if err := r.arrow(key, reading, sure); err != nil {
				return err
			}
		}
	}
	return nil
}

// arrow follows tuples backwards to the objects whose arrows lead to an atom.
func (r *reach) arrow(key atomKey, reading schema.Reading, sure bool) error {
	if err := r.pointing(tuple.Ref{Node: key.node}, key, reading, sure); err != nil {
		return err
	}
	for _, relation := range reading.Usersets {
		if err := r.pointing(tuple.Ref{Node: key.node, Relation: relation}, key, reading, sure); err != nil {
			return err
		}
	}
	return nil
}

func (r *reach) pointing(ref tuple.Ref, key atomKey, reading schema.Reading, sure bool) error {
	t, star, err := r.e.typeOf(ref)
	if err != nil {
		return err
	}
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return r.e.graph.Objects(ref, reading.Tupleset, from, into)
	}) {
		if err != nil {
			return err
		}
		if err := r.e.pace(); err != nil {
			return err
		}
		if r.budget--; r.budget < 0 {
			return nil
		}
		if worth := r.worth(edge, ref, t, star); worth != denied {
			r.add(atomKey{edge.Ref.Node, reading.Relation, key.subject}, sure && worth == holds)
		}
	}
	return nil
}

// granted notes every object#relation that tuples put a subject in: ref is the
// subject itself, its wildcard, or a userset that holds it.
func (r *reach) granted(ref tuple.Ref, s subject, subject int32, certain bool) error {
	t, star, err := r.e.typeOf(ref)
	if err != nil {
		return err
	}
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return r.e.graph.Objects(ref, 0, from, into)
	}) {
		if err != nil {
			return err
		}
		if err := r.e.pace(); err != nil {
			return err
		}
		if r.budget--; r.budget < 0 {
			return nil
		}
		reading, ok := r.readers.Direct(edge.Ref.Relation)
		if worth := r.worth(edge, ref, t, star); ok && worth != denied {
			key := atomKey{edge.Ref.Node, edge.Ref.Relation, subject}
			r.add(key, certain && reading.Certain && worth == holds && r.plain(s))
		}
	}
	return nil
}

// worth says what an edge walked backwards is worth: denied when it does not
// count at all.
func (r *reach) worth(edge tuple.Edge, ref tuple.Ref, t tuple.TypeID, star bool) truth {
	of := r.e.schema.Relation(edge.Ref.Relation)
	forward := edge
	forward.Ref = ref
	if of == nil || !r.e.admitted(&forward, of, t, star) {
		return denied
	}
	return r.e.guard(&forward).lower
}
