package engine

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// SubjectsQuestion asks which subjects of a type have a permission on an object:
// its objects, or with Relation its usersets of that name.
type SubjectsQuestion struct {
	Object     tuple.Object
	Permission string
	Type       string
	Relation   string
}

// LookupSubjects answers flat: an entry per named subject that is allowed or
// conditional, and at most one for the wildcard, which says what everybody else
// has. Where there is one, a named subject that has less has an entry, too:
// conditional or, with the outcome Denied, excluded. An error on any of them is
// the lookup's.
func LookupSubjects(ctx context.Context, v View, q SubjectsQuestion, page Page) (SubjectPage, error) {
	found, next, err := gather(StreamSubjects(ctx, v, q, page.After), page.Limit, func(f FoundSubject) string { return f.Subject.ID })
	return SubjectPage{found, next}, err
}

// StreamSubjects yields the subjects after an id, one by one; an error ends it.
func StreamSubjects(ctx context.Context, v View, q SubjectsQuestion, after string) iter.Seq2[FoundSubject, error] {
	e, err := begin(ctx, v)
	if err != nil {
		return once[FoundSubject](err)
	}
	return func(yield func(FoundSubject, error) bool) {
		if err := e.lookupSubjects(q, after, yield); err != nil {
			yield(FoundSubject{}, err)
		}
	}
}

// memoWeight is how many atoms a lookup of subjects keeps: one subject's serve
// no other.
const memoWeight = 1 << 16

func (e *evaluation) lookupSubjects(q SubjectsQuestion, after string, yield func(FoundSubject, error) bool) error {
	n, relation, err := e.target(q.Object, q.Permission)
	if err != nil {
		return err
	}
	c := crowd{e: e, found: map[tuple.Ref]int{}, met: map[tuple.Ref]standing{}}
	if c.typ, err = e.typeNamed(q.Type); err != nil {
		return err
	}
	if q.Relation != "" {
		_, r, err := e.relationNamed(q.Type, q.Relation)
		if err != nil {
			return err
		}
		c.relation = r.ID
	}
	list, err := c.gather(tuple.Ref{Node: n, Relation: relation})
	if err != nil {
		return err
	}
	others, err := e.others(&c, atomKey{node: n, relation: relation})
	if err != nil {
		return err
	}
	if others.Outcome != Denied {
		list = append(list, candidate{id: tuple.Wildcard})
	}
	slices.SortFunc(list, func(a, b candidate) int { return strings.Compare(a.id, b.id) })
	from, _ := slices.BinarySearchFunc(list, after, func(c candidate, after string) int {
		return cmp.Or(strings.Compare(c.id, after), -1) // the first id behind after
	})
	for _, c := range list[from:] {
		entry := FoundSubject{Subject: tuple.Subject{Type: q.Type, ID: c.id, Relation: q.Relation}, Answer: others}
		if c.id != tuple.Wildcard {
			if entry.Answer, err = e.standing(c, n, relation); err != nil {
				return err
			}
			if !listed(c, entry.Answer, others) {
				continue
			}
		}
		if !yield(entry, nil) {
			return nil
		}
	}
	return nil
}

// listed says whether a named subject has an entry: it was granted something by
// name, or it has another answer than everybody.
func listed(c candidate, answer, others Answer) bool {
	differs := answer.Outcome != others.Outcome || !slices.Equal(answer.Missing, others.Missing)
	return differs || c.named && answer.Outcome != Denied
}

// standing is what a candidate has.
func (e *evaluation) standing(c candidate, n tuple.Node, relation tuple.RelationID) (Answer, error) {
	if c.certain {
		return Answer{Outcome: Allowed}, nil
	}
	if len(e.atoms) > memoWeight {
		e.forget()
	}
	subject, err := e.subjectNumber(c.ref)
	if err != nil {
		return Answer{}, err
	}
	v, err := e.decide(atomKey{n, relation, subject})
	if err != nil {
		return Answer{}, err
	}
	return e.answer(v)
}

// others is what every object of the type has that nothing names. A userset that
// nothing names is in nothing but itself; a singleton type has no others.
func (e *evaluation) others(c *crowd, key atomKey) (Answer, error) {
	if c.relation != 0 || c.typ.Singleton != "" {
		return Answer{}, nil
	}
	v, err := e.decideFor(tuple.Ref{Node: e.graph.fresh(c.typ.ID)}, key.node, key.relation)
	if err != nil {
		return Answer{}, err
	}
	return e.answer(v)
}

// crowd gathers the candidates of a lookup of subjects: all that the tuples
// below an object name, in what grants as in what excludes.
type crowd struct {
	e        *evaluation
	typ      *schema.Type
	relation tuple.RelationID
	list     []candidate
	found    map[tuple.Ref]int // into list
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

// gather walks down from object#relation and returns the candidates.
func (c *crowd) gather(root tuple.Ref) ([]candidate, error) {
	if c.typ.Singleton != "" && c.relation == 0 {
		n, err := c.e.graph.Node(c.typ.ID, c.typ.Singleton)
		return []candidate{{ref: tuple.Ref{Node: n}, id: c.typ.Singleton}}, err
	}
	c.meet(root, seen|grants|ensures)
	for len(c.queue) > 0 {
		at := c.queue[len(c.queue)-1]
		c.queue = c.queue[:len(c.queue)-1]
		if len(c.met) > c.e.limit {
			return nil, budgetError(c.e.limit)
		}
		if err := c.enter(at, c.met[at]); err != nil {
			return nil, err
		}
	}
	if len(c.typ.Acts) > 0 && c.relation == 0 { // what owners have decides
		for n, err := range c.e.graph.Nodes(c.typ.ID) {
			if err != nil {
				return nil, err
			}
			c.propose(tuple.Ref{Node: n}, seen)
		}
	}
	for i := range c.list {
		var err error
		if _, c.list[i].id, err = c.e.graph.Object(c.list[i].ref.Node); err != nil {
			return nil, err
		}
	}
	return c.list, nil
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
		i = len(c.list)
		c.found[ref] = i
		c.list = append(c.list, candidate{ref: ref})
	}
	x := &c.list[i]
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
	for edge, err := range c.e.graph.Subjects(n, r.ID) {
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
