package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// subject is who a question is about, as a symbol: an object, a wildcard or a
// userset. A question has one, and the owners of a subject that acts for others
// are further ones.
type subject struct {
	ref      tuple.Ref
	typ      *schema.Type
	isStar   bool      // user:*
	acts     bool      // it may hold names through owners alone
	wildcard tuple.Ref // the wildcard that an object of this type falls under; 0 where no tuple can name that
	reached  scope     // how much of what it may be in is known: this of the reach's epoch
	epoch    uint32
}

func (s *subject) isObject() bool { return s.ref.Relation == 0 && !s.isStar }

// subjectNumber returns the number of a subject, a new one when it is met first.
func (e *evaluation) subjectNumber(ref tuple.Ref) (int32, error) {
	key := atomKey{ref.Node, ref.Relation, -1}
	if i, ok := e.subjectOf.get(key); ok {
		return i, nil
	}
	t, star, err := e.graph.Type(ref.Node)
	if err != nil {
		return 0, err
	}
	s := subject{ref: ref, typ: e.schema.TypeByID(t), isStar: star}
	s.acts = ref.Relation == 0 && s.typ != nil && len(s.typ.Acts) > 0
	if s.isObject() {
		n, err := e.graph.wildcard(t, e.plan.stars)
		if err != nil {
			return 0, err
		}
		s.wildcard = tuple.Ref{Node: n}
	}
	i := int32(len(e.subjects))
	e.subjects = append(e.subjects, s)
	e.subjectOf.put(key, i)
	return i, nil
}

// acting says whether the subject holds names on objects of a type only through
// an owner, and whether it can hold this one at all.
func (s *subject) acting(r *schema.Relation) (acts, listed bool) {
	if !s.acts {
		return false, false
	}
	for i := range s.typ.Acts {
		if a := &s.typ.Acts[i]; a.On == r.Type.ID {
			acts = true
			listed = listed || a.Permissions[r.ID]
		}
	}
	return acts, listed
}

// ownerEdges appends the live tuples that name whom the subject acts for in r.
func (e *evaluation) ownerEdges(list []tuple.Edge, s *subject, r *schema.Relation) ([]tuple.Edge, error) {
	if s.isStar {
		return list, nil // nobody in particular has no owner
	}
	for i := range s.typ.Acts {
		a := &s.typ.Acts[i]
		if a.On != r.Type.ID || !a.Permissions[r.ID] {
			continue
		}
		owner := e.schema.Relation(a.Owner)
		if owner == nil {
			continue
		}
		var err error
		before := len(list)
		if list, err = e.live(list, s.ref.Node, owner); err != nil {
			return list, err
		}
		e.coverage.follow(owner, len(list)-before)
	}
	return list, nil
}
