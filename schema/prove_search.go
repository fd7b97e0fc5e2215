package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// parts returns what a whole relation is made of: its rewrite, and for an object
// whose userset is sealed what it is sealed to. Of an object that is not known
// each may be the one, so a proof must do for all.
func (g *typeGraph) parts(t term) []term {
	r := t.relation
	if t.object.id != "" {
		if subjects, ok := r.Sealed[t.object.id]; ok {
			return []term{{r, g.sealedExpr(r, t.object.id, subjects), t.object}}
		}
		return []term{{r, r.Rewrite, t.object}}
	}
	all := []term{{r, r.Rewrite, t.object}}
	for id, subjects := range r.Sealed {
		all = append(all, term{r, g.sealedExpr(r, id, subjects), t.object})
	}
	return all
}

// sealedExpr is a sealed userset as a rewrite: its usersets as fixed ones; its
// other subjects cannot be told from any of their type, so they stand as Direct
// tuples of nobody's.
func (g *typeGraph) sealedExpr(r *Relation, id string, subjects []FixedSubject) *Expr {
	key := sealedKey{r.ID, id}
	if e, ok := g.sealed[key]; ok {
		return e
	}
	e := &Expr{Kind: Union}
	for _, s := range subjects {
		if s.Relation != 0 {
			e.Operands = append(e.Operands, &Expr{Kind: Fixed, Object: FixedSubject{Type: s.Type, ID: s.ID}, Relation: s.Relation})
		} else {
			e.Operands = append(e.Operands, &Expr{Kind: Direct, Object: s})
		}
	}
	g.sealed[key] = e
	return e
}

// whole is the term of a relation of an object.
func (g *typeGraph) whole(id tuple.RelationID, object objectTerm) term {
	r := g.schema.Relation(id)
	if r.Type.Singleton != "" {
		object = objectTerm{id: r.Type.Singleton}
	}
	return term{relation: r, object: object}
}

// elsewhere is an object that neither side is about.
var elsewhere = objectTerm{variable: yetOther}

// part is the term of an operand.
func (t term) part(e *Expr) term { return term{t.relation, e, t.object} }

// usersets returns the sets that a Direct term's tuples can lead to, and whether
// a subject of the type can also be named by a tuple itself.
func (p *prover) usersets(t term, subject tuple.TypeID) (sets []term, named bool) {
	if s := t.expr.Object; s.Type != 0 { // one subject of a sealed userset
		return nil, s.Type == subject
	}
	for _, shape := range t.relation.Shapes {
		if shape.Relation != 0 {
			sets = append(sets, p.graph.whole(shape.Relation, elsewhere))
		} else if shape.Type == subject {
			named = true
		}
	}
	return sets, named
}

// separate proves two sets disjoint by taking the left one apart.
func (p *prover) separate(g goal) bool {
	if g.left.expr == nil {
		if actsOn(p.graph.schema, g.subject, g.left.relation.Type.ID) != nil {
			return false
		}
		return p.unfoldLeft(g)
	}
	switch e := g.left.expr; e.Kind {
	case Intersection:
		return p.anyLeft(g, e.Operands)
	case Exclusion:
		return p.withLeft(g, g.left.part(e.Operands[0])) ||
			p.prove(goal{subset, g.subject, g.right, g.left.part(e.Operands[1])})
	default:
		return p.takeApart(g)
	}
}

// containLeft proves left in right by taking the left set apart.
func (p *prover) containLeft(g goal) bool {
	if g.left.expr == nil {
		return p.unfoldLeft(g)
	}
	switch e := g.left.expr; e.Kind {
	case Intersection:
		return p.anyLeft(g, e.Operands)
	case Exclusion:
		return p.withLeft(g, g.left.part(e.Operands[0]))
	case Arrow, Every:
		return p.alongArrow(g) || p.takeApart(g)
	default:
		return p.takeApart(g)
	}
}

// takeApart goes on with every set that the left one is a union of.
func (p *prover) takeApart(g goal) bool {
	e := g.left.expr
	switch e.Kind {
	case Nobody:
		return true
	case Union:
		for _, o := range e.Operands {
			if !p.withLeft(g, g.left.part(o)) {
				return false
			}
		}
		return true
	case Computed:
		return p.withLeft(g, p.graph.whole(e.Relation, g.left.object))
	case Fixed:
		return p.withLeft(g, p.graph.whole(e.Relation, objectTerm{id: e.Object.ID}))
	case Arrow, Every:
		for _, t := range e.Targets {
			if !p.withLeft(g, p.graph.whole(t.Relation, elsewhere)) {
				return false
			}
		}
		return true
	case Direct:
		sets, named := p.usersets(g.left, g.subject)
		if named {
			return p.fail("a tuple of %s can name one", qualified(g.left.relation))
		}
		for _, s := range sets {
			if !p.withLeft(g, s) {
				return false
			}
		}
		return true
	default: // Self
		return p.fail("%s holds the object itself", qualified(g.left.relation))
	}
}

func (p *prover) unfoldLeft(g goal) bool {
	p.progress++
	defer func() { p.progress-- }()
	for _, t := range p.graph.parts(g.left) {
		if !p.withLeft(g, t) {
			return false
		}
	}
	return true
}

func (p *prover) anyLeft(g goal, operands []*Expr) bool {
	for _, o := range operands {
		if p.withLeft(g, g.left.part(o)) {
			return true
		}
	}
	return false
}

func (p *prover) withLeft(g goal, left term) bool {
	g.left = left
	return p.prove(g)
}

func (p *prover) withRight(g goal, right term) bool {
	g.right = right
	return p.prove(g)
}

// alongArrow compares two arrows over the same relation of the same object:
// whoever is in one over some tuple is in the other over that very tuple.
func (p *prover) alongArrow(g goal) bool {
	l, r := g.left.expr, g.right.expr
	if r == nil || l.Relation != r.Relation || g.left.object != g.right.object {
		return false
	}
	if r.Kind != Arrow && !(r.Kind == Every && l.Kind == Every) {
		return false
	}
	for _, t := range l.Targets {
		other := r.Target(t.Type)
		if other == 0 {
			return false
		}
		at := objectTerm{variable: theOne}
		if !p.prove(goal{subset, g.subject, p.graph.whole(t.Relation, at), p.graph.whole(other, at)}) {
			return false
		}
	}
	return true
}

// containRight proves left in right by what right is made of.
func (p *prover) containRight(g goal) bool {
	if g.right.expr == nil {
		if actsOn(p.graph.schema, g.subject, g.right.relation.Type.ID) != nil {
			return false
		}
		for _, t := range p.graph.parts(g.right) {
			if !p.withRight(g, t) {
				return false
			}
		}
		return true
	}
	e := g.right.expr
	switch e.Kind {
	case Union:
		for _, o := range e.Operands {
			if p.withRight(g, g.right.part(o)) {
				return true
			}
		}
	case Intersection:
		for _, o := range e.Operands {
			if !p.withRight(g, g.right.part(o)) {
				return false
			}
		}
		return true
	case Exclusion:
		return p.withRight(g, g.right.part(e.Operands[0])) && p.apart(g, g.right.part(e.Operands[1]))
	case Computed:
		return p.withRight(g, p.graph.whole(e.Relation, g.right.object))
	case Fixed:
		return p.withRight(g, p.graph.whole(e.Relation, objectTerm{id: e.Object.ID}))
	}
	return false
}

// apart proves that nobody in the left set is in what is excluded on the right.
func (p *prover) apart(g goal, excluded term) bool {
	outer := p.barrier
	p.barrier = len(p.open)
	defer func() { p.barrier = outer }()
	return p.prove(goal{disjoint, g.subject, g.left, excluded})
}
