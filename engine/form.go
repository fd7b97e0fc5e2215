package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A form is a relation or permission written out over one object's own tuples: all
// that it takes from other names of the same object is put in. So one look at
// the object's row says what it is there, or which other objects decide it.
type form struct {
	root  term
	first tuple.RelationID
	bits  []uint64 // of the relations from first on, one each; 0 for those that it does not read
}

// term is a part of a form.
type term struct {
	kind    termKind
	negated bool         // the right side of an exclusion
	bits    uint64       // ofTuples: the relations, any of them; ofArrow: the one that is walked
	expr    *schema.Expr // ofArrow
	parts   []term       // ofAny, ofAll
}

type termKind uint8

const (
	ofNobody termKind = iota
	ofTuples          // the subject is named by tuples of these relations
	ofSelf            // the object is the subject
	ofArrow           // what the tuples of a relation lead to, any of it
	ofAny
	ofAll
	ofWalk // what a row does not say
)

// The bounds of a form: a permission that is larger has none, and is walked.
const (
	mostFormBits  = 64 // of a sighting
	mostFormTerms = 256
	mostFormSpan  = 1024 // between the numbers of its relations

	mostPlanTerms = 1 << 18 // of all forms of a schema, also those that were given up
)

// former writes forms out.
type former struct {
	plan    *plan
	within  []tuple.RelationID // the names that are being put in
	reads   []tuple.RelationID // the relations so far, by bit
	terms   int
	tooMuch bool
}

// form returns the form of a relation, or nil where it has none.
func (p *plan) form(r *relationPlan) *form {
	if r.of.Rewrite == nil || p.terms >= mostPlanTerms {
		return nil
	}
	w := former{plan: p}
	root := w.name(r)
	p.terms += w.terms
	if w.tooMuch || root.kind == ofWalk {
		return nil
	}
	f := &form{root: root}
	if len(w.reads) == 0 {
		return f
	}
	last := w.reads[0]
	f.first = last
	for _, id := range w.reads {
		f.first, last = min(f.first, id), max(last, id)
	}
	if last-f.first >= mostFormSpan {
		return nil
	}
	f.bits = make([]uint64, last-f.first+1)
	for i, id := range w.reads {
		f.bits[id-f.first] = 1 << i
	}
	return f
}

// bit returns the bit of a relation, or 0.
func (f *form) bit(id tuple.RelationID) uint64 {
	if i := id - f.first; int(i) < len(f.bits) { // below first it wraps
		return f.bits[i]
	}
	return 0
}

// name puts in what a name of the object stands for.
func (w *former) name(r *relationPlan) term {
	if r == nil || r.of.Rewrite == nil {
		return term{kind: ofNobody}
	}
	if len(r.of.Sealed) > 0 {
		return term{kind: ofWalk}
	}
	for _, id := range w.within {
		if id == r.of.ID { // it reads itself
			return term{kind: ofWalk}
		}
	}
	w.within = append(w.within, r.of.ID)
	t := w.term(r, r.of.Rewrite)
	w.within = w.within[:len(w.within)-1]
	return t
}

func (w *former) term(r *relationPlan, x *schema.Expr) term {
	if w.terms++; w.terms > mostFormTerms {
		w.tooMuch = true
	}
	if w.tooMuch {
		return term{kind: ofWalk}
	}
	switch x.Kind {
	case schema.Nobody:
		return term{kind: ofNobody}
	case schema.Self:
		return term{kind: ofSelf}
	case schema.Direct:
		return term{kind: ofTuples, bits: w.bit(r.of.ID)}
	case schema.Computed:
		return w.name(w.plan.at(x.Relation))
	case schema.Arrow:
		if w.plan.at(x.Relation) == nil {
			return term{kind: ofNobody}
		}
		return term{kind: ofArrow, bits: w.bit(x.Relation), expr: x}
	case schema.Union:
		return w.union(r, x)
	case schema.Intersection, schema.Exclusion:
		all := term{kind: ofAll}
		for i, o := range x.Operands {
			part := w.term(r, o)
			if x.Kind == schema.Exclusion && i == 1 {
				part.negated = !part.negated
			}
			all.parts = append(all.parts, part)
		}
		return all
	}
	return term{kind: ofWalk}
}

// union gathers the operands that are tuples in one term, which is looked at first.
func (w *former) union(r *relationPlan, x *schema.Expr) term {
	tuples, others := term{kind: ofTuples}, []term(nil)
	for _, o := range x.Operands {
		switch part := w.term(r, o); {
		case part.kind == ofTuples && !part.negated:
			tuples.bits |= part.bits
		case part.kind == ofAny && !part.negated:
			others = append(others, part.parts...)
		default:
			others = append(others, part)
		}
	}
	if len(others) == 0 {
		return tuples
	}
	if tuples.bits != 0 {
		others = append([]term{tuples}, others...)
	}
	return term{kind: ofAny, parts: others}
}

// bit returns the bit of a relation whose tuples a form reads.
func (w *former) bit(id tuple.RelationID) uint64 {
	for i, read := range w.reads {
		if read == id {
			return 1 << i
		}
	}
	if len(w.reads) == mostFormBits {
		w.tooMuch = true
		return 0
	}
	w.reads = append(w.reads, id)
	return 1 << (len(w.reads) - 1)
}
