package engine

import (
	"slices"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// plan is what the engine works out of a schema once: nothing in it says more
// than the schema does.
type plan struct {
	relations []relationPlan // by RelationID; of is nil where the schema has none
	types     []typePlan     // by TypeID
	sealed    []schema.Reading
	rewrites  map[*schema.Expr]*rewrite
	stars     bool // a sealed userset holds a wildcard
	terms     int  // of the forms so far
}

// scope is how far a walk upwards goes. The carriers are the relations that
// tuples name as usersets and all that these rest on: the groups, and not what
// groups are given.
type scope uint8

const (
	nothing scope = iota
	carriers
	everything
)

// relationPlan is one relation or permission.
type relationPlan struct {
	of       *schema.Relation
	rewrite  *rewrite
	form     *form              // nil where an object's tuples alone do not say it
	same     *relationPlan      // the relation of the same object that this one is another name for
	direct   bool               // its own tuples are all that it is
	closed   bool               // among the carriers it leads to nothing but itself, by tuples that need say no more
	usersets []tuple.RelationID // what usersets its tuples may name, each once
	scope    scope              // the least that it is in
	granting schema.Reading     // how its own tuples bear on it
	granted  bool               // whether they do
	readBy   [everything + 1][]schema.Reading
	namedBy  [everything + 1][]tuple.RelationID
}

// typePlan is what subjects of a type begin with on their way up.
type typePlan struct {
	self      [everything + 1][]schema.Reading
	objects   []tuple.RelationID // carriers whose tuples may name an object of it
	wildcards []tuple.RelationID // and its wildcard
}

// rewrite is an expression with its operands in the order of their cost, which
// changes no outcome.
type rewrite struct {
	*schema.Expr
	operands []*rewrite // as in the schema
	cheapest []*rewrite // the same, the cheap ones first
	cost     int        // see guess
	negated  bool       // the right side of an exclusion
	tupleset *relationPlan
}

func planOf(s *schema.Schema) *plan { return s.Keep(makePlan).(*plan) }

func makePlan(s *schema.Schema) any {
	p := &plan{relations: make([]relationPlan, len(s.Relations)), rewrites: map[*schema.Expr]*rewrite{}}
	readers := s.Readers()
	p.sealed = readers.Sealed()
	for i, r := range s.Relations {
		if r != nil {
			p.relations[i] = relationPlan{of: r, scope: everything}
		}
	}
	for _, t := range s.Types {
		for len(p.types) <= int(t.ID) {
			p.types = append(p.types, typePlan{})
		}
	}
	for i := range p.relations {
		if r := &p.relations[i]; r.of != nil {
			p.describe(r, readers)
		}
	}
	p.carry(readers)
	for i := range p.relations {
		if r := &p.relations[i]; r.of != nil {
			p.climbs(r, readers)
			if r.of.Rewrite != nil {
				r.same = p.other(r)
				r.form = p.form(r)
			}
		}
	}
	for _, t := range s.Types {
		at := &p.types[t.ID]
		at.self[everything] = readers.Self(t.ID)
		for _, reading := range at.self[everything] {
			if p.relations[reading.Relation].scope == carriers {
				at.self[carriers] = append(at.self[carriers], reading)
			}
		}
	}
	for _, r := range s.Relations {
		if r == nil {
			continue
		}
		for _, fixed := range r.Sealed {
			p.stars = p.stars || slices.ContainsFunc(fixed, func(f schema.FixedSubject) bool { return f.ID == tuple.Wildcard })
		}
	}
	return p
}

// at returns the plan of a relation, or nil where the schema has none.
func (p *plan) at(id tuple.RelationID) *relationPlan {
	if int(id) >= len(p.relations) || p.relations[id].of == nil {
		return nil
	}
	return &p.relations[id]
}

func (p *plan) typeAt(id tuple.TypeID) *typePlan {
	if int(id) >= len(p.types) {
		return nil
	}
	return &p.types[id]
}

func (p *plan) describe(r *relationPlan, readers *schema.Readers) {
	r.granting, r.granted = readers.Direct(r.of.ID)
	for _, s := range r.of.Shapes {
		if s.Relation != 0 && !slices.Contains(r.usersets, s.Relation) {
			r.usersets = append(r.usersets, s.Relation)
		}
	}
	if r.of.Rewrite != nil {
		r.rewrite = p.expr(r.of.Rewrite)
		r.direct = r.of.Rewrite.Kind == schema.Direct && len(r.of.Sealed) == 0
	}
}

// expr plans an expression.
func (p *plan) expr(x *schema.Expr) *rewrite {
	w := &rewrite{Expr: x, tupleset: p.at(x.Relation)}
	p.rewrites[x] = w
	for i, o := range x.Operands {
		operand := p.expr(o)
		operand.negated = x.Kind == schema.Exclusion && i == 1
		w.operands = append(w.operands, operand)
	}
	w.cheapest = slices.Clone(w.operands)
	slices.SortStableFunc(w.cheapest, func(a, b *rewrite) int { return a.cost - b.cost })
	w.cost = p.guess(w)
	return w
}

// guess is how much an expression reads: nothing, one relation's tuples, or other
// objects. Of what has a name of its own it looks no further than the name.
func (p *plan) guess(w *rewrite) int {
	switch w.Kind {
	case schema.Direct:
		return 1
	case schema.Computed:
		if of := p.at(w.Relation); of != nil && of.of.Rewrite != nil && of.of.Rewrite.Kind == schema.Direct {
			return 1
		}
		return 2
	case schema.Fixed:
		return 3
	case schema.Arrow, schema.Every:
		return 4
	}
	most := 0
	for _, o := range w.operands {
		most = max(most, o.cost)
	}
	return most
}

// other returns the relation that r is another name for: by computed names alone.
func (p *plan) other(r *relationPlan) *relationPlan {
	at := r
	for range 100 { // a cycle of names is no name
		if at.of.Rewrite == nil || at.of.Rewrite.Kind != schema.Computed || len(at.of.Sealed) > 0 {
			break
		}
		next := p.at(at.of.Rewrite.Relation)
		if next == nil || next == r {
			return nil
		}
		at = next
	}
	if at == r || at.of.Rewrite == nil || at.of.Rewrite.Kind == schema.Computed && len(at.of.Sealed) == 0 {
		return nil
	}
	return at
}
