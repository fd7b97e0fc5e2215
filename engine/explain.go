package engine

import (
	"context"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// maxSteps bounds an explanation: what is longer is cut with a reason in place.
const maxSteps = 1000

// maxPathDepth bounds how deep steps nest.
const maxPathDepth = 200

// Explain answers as Check does, and says why: for allowed a path of tuples and
// rewrites that is reason enough, else what was tried and what each try lacked.
func Explain(ctx context.Context, v View, q Question) (*Explanation, error) {
	e, err := begin(ctx, &v)
	if err != nil {
		return nil, err
	}
	defer e.end()
	r := e.read(&q)
	key, err := e.key(&r)
	if err != nil {
		return nil, err
	}
	e.most, e.plain = e.limit, true // an explanation shows also what a shorter way would leave out
	x := explainer{e: e, left: maxSteps, shown: map[atomKey]bool{}}
	root, err := x.atom(key)
	if err != nil {
		return nil, err
	}
	answer, err := e.answer(x.final(key).value)
	if err != nil {
		return nil, err
	}
	return &Explanation{Question: q, Answer: answer, Root: root}, nil
}

// explainer tells how atoms got their values. It finds the values through the
// one evaluation; it only chooses what to show.
type explainer struct {
	e     *evaluation
	left  int
	depth int
	shown map[atomKey]bool
}

// way is one thing that a leaf of a rewrite looks at: a tuple with what it leads
// to, or just what it leads to.
type way struct {
	edge  *tuple.Edge // nil: no tuple is needed
	from  tuple.Node  // the tuple's object
	of    *schema.Relation
	key   atomKey // what it leads to
	ends  bool    // it leads to the subject itself: there is no key
	lacks string  // why this way is denied whatever it leads to
	gone  bool    // the tuple is as good as not there
}

// value is what a way is worth.
func (x *explainer) value(w way) (value, error) {
	if w.lacks != "" {
		return never, nil
	}
	v := always
	if w.edge != nil {
		v = x.e.guard(w.edge)
	}
	if w.ends || v == never {
		return v, nil
	}
	there, err := x.e.solve(w.key)
	return x.e.and(v, there), err
}

// final returns an atom that was solved.
func (x *explainer) final(key atomKey) *atom {
	id, _ := x.e.atomOf.get(key)
	return &x.e.atoms[id]
}

// outcome puts a value into a step.
func (x *explainer) outcome(s *Step, v value) {
	switch v.lower {
	case holds:
		s.Outcome = Allowed
	case unknown:
		k := x.e.list[v.lowerWhy]
		s.Outcome, s.Missing, s.Failed = Conditional, k.missing, k.err != nil
	}
	if v.lower != v.upper {
		s.Reason = "it depends on its own negation, so it is denied"
	}
}

// take makes room for a step; false means that the rest is not shown.
func (x *explainer) take() bool {
	x.left--
	return x.left > 0 && x.depth < maxPathDepth
}

// atom explains object#relation for a subject.
func (x *explainer) atom(key atomKey) (*Step, error) {
	v, err := x.e.solve(key)
	if err != nil {
		return nil, err
	}
	id, _ := x.e.atomOf.get(key)
	object, err := x.e.object(key.node)
	if err != nil {
		return nil, err
	}
	r := x.e.schema.Relation(key.relation)
	s := &Step{Kind: StepName, Object: object, Relation: r.Name, Place: r.Place}
	if s.Subject, err = x.e.subjectNamed(x.e.subjects[key.subject].ref); err != nil {
		return nil, err
	}
	x.outcome(s, v)
	subject := x.e.subjects[key.subject]
	switch {
	case x.shown[key]:
		s.Reason = "shown above"
		return s, nil
	case !x.take():
		s.Reason = "not shown: the explanation would be too long"
		return s, nil
	case subject.ref == (tuple.Ref{Node: key.node, Relation: key.relation}):
		s.Reason = "every userset is a member of itself"
		return s, nil
	}
	x.shown[key] = true
	x.depth++
	defer func() { x.depth-- }()
	child, err := x.body(id, r, &subject)
	s.Steps = []*Step{child}
	return s, err
}

// body explains what an atom is made of.
func (x *explainer) body(id int32, r *schema.Relation, subject *subject) (*Step, error) {
	key := x.e.atoms[id].key
	if acts, listed := subject.acting(r); acts {
		s := &Step{Kind: StepActs, Place: r.Place}
		var err error
		if s.Subject, err = x.e.subjectNamed(subject.ref); err != nil {
			return nil, err
		}
		x.outcome(s, x.e.atoms[id].value)
		if !listed {
			s.Reason = r.Name + " is not among what its type acts for"
			return s, nil
		}
		ways, err := x.ownerWays(key, r, subject)
		if err != nil {
			return nil, err
		}
		return s, x.ways(s, id, ways, false)
	}
	if len(r.Sealed) > 0 {
		object, err := x.e.object(key.node)
		if err != nil {
			return nil, err
		}
		if fixed, ok := r.Sealed[object.ID]; ok {
			s := &Step{Kind: StepSealed, Object: object, Relation: r.Name, Place: r.Place}
			x.outcome(s, x.e.atoms[id].value)
			ways, err := x.sealedWays(key, subject, fixed)
			if err != nil {
				return nil, err
			}
			return s, x.ways(s, id, ways, false)
		}
	}
	return x.expr(id, r, r.Rewrite)
}

var stepKinds = map[schema.Kind]StepKind{
	schema.Nobody: StepNobody, schema.Direct: StepDirect, schema.Computed: StepName, schema.Arrow: StepArrow,
	schema.Every: StepEvery, schema.Fixed: StepName, schema.Self: StepSelf, schema.Union: StepUnion,
	schema.Intersection: StepIntersection, schema.Exclusion: StepExclusion,
}

// expr explains a part of an atom's rewrite.
func (x *explainer) expr(id int32, r *schema.Relation, expr *schema.Expr) (*Step, error) {
	v, err := x.e.expression(expr, id)
	if err != nil {
		return nil, err
	}
	if expr.Kind == schema.Computed || expr.Kind == schema.Fixed {
		ways, err := x.leafWays(id, r, expr)
		if err != nil {
			return nil, err
		}
		return x.atom(ways[0].key)
	}
	s := &Step{Kind: stepKinds[expr.Kind], Rewrite: x.e.schema.Text(r, expr), Place: expr.Place}
	x.outcome(s, v)
	if !x.take() {
		s.Reason = "not shown: the explanation would be too long"
		return s, nil
	}
	if len(expr.Operands) == 0 {
		ways, err := x.leafWays(id, r, expr)
		if err != nil {
			return nil, err
		}
		if len(ways) == 0 && v == never && expr.Kind != schema.Self && expr.Kind != schema.Nobody {
			s.Reason = "no tuple leads there"
		}
		return s, x.ways(s, id, ways, expr.Kind == schema.Every)
	}
	operands := expr.Operands
	if expr.Kind == schema.Union && v.lower == holds {
		for _, o := range operands {
			enough, err := x.suffices(id, r, o)
			if err != nil {
				return nil, err
			}
			if enough {
				operands = []*schema.Expr{o}
				break
			}
		}
	}
	for _, o := range operands {
		child, err := x.expr(id, r, o)
		if err != nil {
			return nil, err
		}
		s.Steps = append(s.Steps, child)
	}
	return s, nil
}

// ways shows a leaf's ways: one that suffices where the leaf holds by any, else all.
func (x *explainer) ways(s *Step, id int32, ways []way, every bool) error {
	if s.Outcome == Allowed && !every {
		for _, w := range ways {
			enough, err := x.wayHolds(id, w)
			if err != nil {
				return err
			}
			if enough {
				ways = []way{w}
				break
			}
		}
	}
	for _, w := range ways {
		if x.left <= 0 {
			s.Reason = "more ways were tried than are shown"
			return nil
		}
		child, err := x.way(w)
		if err != nil {
			return err
		}
		if child != nil {
			s.Steps = append(s.Steps, child)
		}
	}
	return nil
}

// way explains one way.
func (x *explainer) way(w way) (*Step, error) {
	if w.edge == nil {
		if w.ends {
			return nil, nil
		}
		return x.atom(w.key)
	}
	v, err := x.value(w)
	if err != nil {
		return nil, err
	}
	t, err := x.e.tuple(w.from, w.of, w.edge)
	if err != nil {
		return nil, err
	}
	x.left--
	s := &Step{Kind: StepTuple, Object: t.Object, Relation: t.Relation, Subject: t.Subject, Tuple: &t}
	x.outcome(s, v)
	if w.lacks != "" {
		s.Reason = w.lacks
		return s, nil
	}
	s.Condition = x.condition(w.edge)
	if w.ends || x.e.guard(w.edge) == never {
		return s, nil
	}
	child, err := x.atom(w.key)
	s.Steps = []*Step{child}
	return s, err
}

// condition evaluates a tuple's condition again, this time with its values.
func (x *explainer) condition(edge *tuple.Edge) *ConditionStep {
	c := x.e.schema.Condition(edge.Condition)
	if edge.Condition == 0 || c == nil || c.Program == nil {
		return nil
	}
	request := &condition.Request{Values: x.e.given.Values, Now: x.e.given.Now, Trace: true}
	result, err := c.Program.Eval(edge.Context, request)
	s := &ConditionStep{Name: c.Name, Missing: result.Missing, Values: result.Values}
	switch {
	case err != nil:
		s.Err = err.Error()
	case len(result.Missing) > 0:
		s.Outcome = Conditional
	case result.Holds:
		s.Outcome = Allowed
	}
	return s
}
