package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// crowd gathers the candidates of a lookup of subjects: all that the tuples
// below an object name, in what grants as in what excludes.
type crowd struct {
	e        *evaluation
	typ      *schema.Type
	relation tuple.RelationID
	lineup   *lineup
	found    map[tuple.Ref]int // into the lineup
	met      map[tuple.Ref]standing
	queue    []tuple.Ref
}

// standing says how object#relation bears on the one that is asked about.
type standing uint8

const (
	grants  standing = 1 << iota // whoever is in it may be granted it
	ensures                      // whoever is in it has it
	seen                         // it bears on it at all
)

// gather walks down from object#relation and lines up the candidates.
func (c *crowd) gather(root tuple.Ref) error {
	c.lineup.reset()
	if c.typ.Singleton != "" && c.relation == 0 {
		n, err := c.e.graph.Node(c.typ.ID, c.typ.Singleton)
		if err != nil {
			return err
		}
		c.propose(tuple.Ref{Node: n}, seen)
		return c.e.nameAll(c.lineup)
	}
	c.meet(root, seen|grants|ensures)
	for len(c.queue) > 0 {
		at := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		if len(c.met) > c.e.limit {
			return budgetError(c.e.limit)
		}
		if err := c.enter(at, c.met[at]); err != nil {
			return err
		}
	}
	if len(c.typ.Acts) > 0 && c.relation == 0 { // what owners have decides
		for n, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
			return c.e.graph.Nodes(c.typ.ID, from, into)
		}) {
			if err != nil {
				return err
			}
			c.propose(tuple.Ref{Node: n}, seen)
		}
	}
	return c.e.nameAll(c.lineup)
}

// meet notes that the walk comes by object#relation, or by a better way.
func (c *crowd) meet(at tuple.Ref, s standing) {
	old := c.met[at]
	if old|s == old {
		return
	}
	c.met[at] = old | s
	c.queue = append(c.queue, at)
	if at.Relation == c.relation && c.relation != 0 {
		c.propose(at, s)
	}
}

// propose makes a subject a candidate. Nothing is certain of one that acts for
// others.
func (c *crowd) propose(ref tuple.Ref, s standing) {
	i, ok := c.found[ref]
	if !ok {
		i = len(c.lineup.list)
		c.found[ref] = i
		c.lineup.list = append(c.lineup.list, candidate{ref: ref})
	}
	x := &c.lineup.list[i]
	x.named = x.named || s&grants != 0
	x.certain = x.certain || s&ensures != 0 && len(c.typ.Acts) == 0
}

// enter looks at all that an object's relation reads.
func (c *crowd) enter(at tuple.Ref, s standing) error {
	r := c.e.schema.Relation(at.Relation)
	if r == nil || r.Rewrite == nil {
		return nil
	}
	if len(r.Sealed) > 0 {
		_, id, err := c.e.graph.Object(at.Node)
		if err != nil {
			return err
		}
		if fixed, ok := r.Sealed[id]; ok {
			return c.sealed(fixed, s)
		}
	}
	return c.expr(at, r, r.Rewrite, s)
}

func (c *crowd) sealed(fixed []schema.FixedSubject, s standing) error {
	for _, f := range fixed {
		n, err := c.e.fixedNode(f)
		if err != nil {
			return err
		}
		c.subject(tuple.Ref{Node: n, Relation: f.Relation}, f.Type, f.ID == tuple.Wildcard, s)
	}
	return nil
}

// subject takes a subject that the walk has come to.
func (c *crowd) subject(ref tuple.Ref, t tuple.TypeID, star bool, s standing) {
	switch {
	case ref.Relation != 0:
		c.meet(ref, s)
	case t == c.typ.ID && !star && c.relation == 0:
		c.propose(ref, s)
	}
}

func (c *crowd) expr(at tuple.Ref, r *schema.Relation, x *schema.Expr, s standing) error {
	switch x.Kind {
	case schema.Direct:
		return c.edges(at.Node, r, s, func(edge tuple.Edge, t tuple.TypeID, star bool, s standing) {
			c.subject(edge.Ref, t, star, s)
		})
	case schema.Self:
		c.subject(tuple.Ref{Node: at.Node}, r.Type.ID, false, s)
	case schema.Computed:
		c.meet(tuple.Ref{Node: at.Node, Relation: x.Relation}, s)
	case schema.Fixed:
		n, err := c.e.fixedNode(x.Object)
		if err != nil {
			return err
		}
		c.meet(tuple.Ref{Node: n, Relation: x.Relation}, s)
	case schema.Arrow, schema.Every:
		tupleset := c.e.schema.Relation(x.Relation)
		if tupleset == nil {
			return nil
		}
		if x.Kind == schema.Every {
			s &^= ensures
		}
		return c.edges(at.Node, tupleset, s, func(edge tuple.Edge, t tuple.TypeID, star bool, s standing) {
			if target := x.Target(t); target != 0 && !star {
				c.meet(tuple.Ref{Node: edge.Ref.Node, Relation: target}, s)
			}
		})
	case schema.Union, schema.Intersection, schema.Exclusion:
		for i, o := range x.Operands {
			operand := s
			switch {
			case x.Kind == schema.Exclusion && i == 1:
				operand = seen
			case x.Kind != schema.Union:
				operand &^= ensures
			}
			if err := c.expr(at, r, o, operand); err != nil {
				return err
			}
		}
	}
	return nil
}

// edges yields the tuples of a relation that count, with what they ensure.
func (c *crowd) edges(n tuple.Node, r *schema.Relation, s standing, yield func(tuple.Edge, tuple.TypeID, bool, standing)) error {
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return c.e.graph.Subjects(n, r.ID, from, into)
	}) {
		if err != nil {
			return err
		}
		if err := c.e.pace(); err != nil {
			return err
		}
		t, star, err := c.e.typeOf(edge.Ref)
		if err != nil {
			return err
		}
		if !c.e.admitted(&edge, r, t, star) {
			continue
		}
		switch c.e.guard(&edge).lower {
		case holds:
			yield(edge, t, star, s)
		case unknown:
			yield(edge, t, star, s&^ensures)
		}
	}
	return nil
}
