package engine_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// reference is the deliberately naive evaluator that the engine is held to. It
// grounds every (object, relation, subject) of a tiny universe and computes the
// well-founded model by the plainest alternating fixpoint. It shares nothing
// with the engine but the compiled schema: no memo, no order, no short-circuit.
type reference struct {
	schema  *schema.Schema
	tuples  []tuple.Tuple
	now     time.Time
	context map[string]bool // the conditions' variables that the request gives
	lower   model
	upper   model
	// excluded holds what stands right of an except, as if the schema had given
	// it a name: so that naming an operand changes no outcome.
	excluded map[string]excluded
}

type excluded struct {
	expr *schema.Expr
	of   string // the relation that it is part of
}

// model says of every ground atom how true it is; an absent one is false.
type model map[tuple.Key]verdict

// verdict is 0 false, 1 unknown, 2 true; unknown has causes: names of missing
// context, or texts of errors behind "!".
type verdict struct {
	truth  int
	causes map[string]bool
}

func known(truth bool) verdict {
	if truth {
		return verdict{truth: 2}
	}
	return verdict{}
}

func anyVerdict(list []verdict) verdict {
	var v verdict
	for _, x := range list {
		v.truth = max(v.truth, x.truth)
	}
	return v.blame(list)
}

func allVerdicts(list []verdict) verdict {
	v := verdict{truth: 2}
	for _, x := range list {
		v.truth = min(v.truth, x.truth)
	}
	return v.blame(list)
}

// blame gathers the causes of an unknown verdict from its unknown operands.
func (v verdict) blame(list []verdict) verdict {
	if v.truth != 1 {
		return v
	}
	v.causes = map[string]bool{}
	for _, x := range list {
		if x.truth == 1 {
			maps.Copy(v.causes, x.causes)
		}
	}
	return v
}

func (v verdict) not() verdict { return verdict{truth: 2 - v.truth, causes: v.causes} }

func newReference(s *schema.Schema, stored, contextual []tuple.Tuple, now time.Time, context map[string]bool, objects []tuple.Object, subjects []tuple.Subject) *reference {
	r := &reference{schema: s, now: now, context: context}
	over := map[tuple.Key]tuple.Tuple{}
	for _, t := range slices.Concat(stored, contextual) {
		over[t.Key] = t
	}
	for _, t := range over {
		if r.counts(t) {
			r.tuples = append(r.tuples, t)
		}
	}
	r.excluded = map[string]excluded{}
	var atoms []tuple.Key
	for _, o := range objects {
		for _, rel := range s.Type(o.Type).Relations {
			for _, name := range append(r.nameExcluded(rel.Rewrite, rel.Name), rel.Name) {
				for _, sub := range subjects {
					atoms = append(atoms, tuple.Key{Object: o, Relation: name, Subject: sub})
				}
			}
		}
	}
	r.alternate(atoms)
	return r
}

// nameExcluded gives names to the right operands of exclusions in an expression.
func (r *reference) nameExcluded(x *schema.Expr, of string) []string {
	var names []string
	for i, o := range x.Operands {
		if x.Kind == schema.Exclusion && i == 1 {
			name := excludedName(o)
			r.excluded[name] = excluded{o, of}
			names = append(names, name)
		}
		names = append(names, r.nameExcluded(o, of)...)
	}
	return names
}

func excludedName(x *schema.Expr) string { return fmt.Sprint("right of except ", x.Branch) }

// counts says whether a tuple is live and admitted by the schema.
func (r *reference) counts(t tuple.Tuple) bool {
	if !t.Expires.IsZero() && !t.Expires.After(r.now) {
		return false
	}
	for _, shape := range r.relation(t.Object.Type, t.Relation).Shapes {
		if r.schema.TypeByID(shape.Type).Name != t.Subject.Type || shape.Wildcard != (t.Subject.ID == "*") {
			continue
		}
		relation, condition := "", ""
		if shape.Relation != 0 {
			relation = r.schema.Relation(shape.Relation).Name
		}
		if shape.Condition != 0 {
			condition = r.schema.Condition(shape.Condition).Name
		}
		expires := !t.Expires.IsZero()
		fits := shape.Expiry == schema.ExpiryOptional || expires == (shape.Expiry == schema.ExpiryRequired)
		if relation == t.Subject.Relation && condition == t.Condition.Name && fits {
			return true
		}
	}
	return false
}

func (r *reference) relation(typeName, name string) *schema.Relation {
	return r.schema.Type(typeName).Relation(name)
}

// alternate computes the bounds, first their truth and then their causes.
func (r *reference) alternate(atoms []tuple.Key) {
	r.lower, r.upper = model{}, model{}
	for {
		r.upper = r.least(atoms, r.lower)
		next := r.least(atoms, r.upper)
		same := maps.EqualFunc(next, r.lower, func(a, b verdict) bool { return a.truth == b.truth })
		r.lower = next
		if same {
			break
		}
	}
	for changed := true; changed; {
		changed = false
		for _, a := range atoms {
			changed = grow(r.lower, a, r.atom(a, r.lower, r.upper)) || changed
			changed = grow(r.upper, a, r.atom(a, r.upper, r.lower)) || changed
		}
	}
}

// grow adds causes to an atom's and says whether there was a new one.
func grow(m model, a tuple.Key, v verdict) bool {
	old := m[a]
	if old.truth != v.truth {
		panic("the bounds were not a fixpoint")
	}
	if v.truth != 1 || len(v.causes) == len(old.causes) {
		return false
	}
	m[a] = v
	return true
}

// least is the least fixpoint where negations read other.
func (r *reference) least(atoms []tuple.Key, other model) model {
	m := model{}
	for changed := true; changed; {
		changed = false
		for _, a := range atoms {
			if v := r.atom(a, m, other); v.truth > m[a].truth {
				m[a] = verdict{truth: v.truth}
				changed = true
			}
		}
	}
	return m
}

// atom evaluates one ground atom: m is read positively, other under negation.
func (r *reference) atom(a tuple.Key, m, other model) verdict {
	if a.Subject == (tuple.Subject{Type: a.Object.Type, ID: a.Object.ID, Relation: a.Relation}) {
		return known(true)
	}
	if x, ok := r.excluded[a.Relation]; ok {
		return r.expr(x.expr, x.of, a, m, other)
	}
	rel := r.relation(a.Object.Type, a.Relation)
	if a.Subject.Relation == "" {
		acting, listed := false, []verdict(nil)
		for _, act := range r.schema.Type(a.Subject.Type).Acts {
			if act.On != rel.Type.ID {
				continue
			}
			acting = true
			if act.Permissions[rel.ID] && a.Subject.ID != "*" {
				owner := tuple.Object{Type: a.Subject.Type, ID: a.Subject.ID}
				for _, t := range r.of(owner, r.schema.Relation(act.Owner).Name) {
					if t.Subject.ID != "*" {
						owned := m[tuple.Key{Object: a.Object, Relation: a.Relation, Subject: t.Subject}]
						listed = append(listed, allVerdicts([]verdict{r.condition(t), owned}))
					}
				}
			}
		}
		if acting {
			return anyVerdict(listed)
		}
	}
	if fixed, ok := rel.Sealed[a.Object.ID]; ok {
		var list []verdict
		for _, f := range fixed {
			list = append(list, r.member(a.Subject, r.fixedSubject(f), m))
		}
		return anyVerdict(list)
	}
	return r.expr(rel.Rewrite, a.Relation, a, m, other)
}

// member says whether a subject is another or in it.
func (r *reference) member(s, of tuple.Subject, m model) verdict {
	switch {
	case s == of:
		return known(true)
	case of.Relation != "":
		return m[tuple.Key{Object: of.Object(), Relation: of.Relation, Subject: s}]
	case of.ID == "*" && s.Type == of.Type && s.Relation == "":
		return known(true)
	}
	return known(false)
}

func (r *reference) fixedSubject(f schema.FixedSubject) tuple.Subject {
	s := tuple.Subject{Type: r.schema.TypeByID(f.Type).Name, ID: f.ID}
	if f.Relation != 0 {
		s.Relation = r.schema.Relation(f.Relation).Name
	}
	return s
}

// of returns the tuples of object#relation.
func (r *reference) of(o tuple.Object, relation string) []tuple.Tuple {
	var list []tuple.Tuple
	for _, t := range r.tuples {
		if t.Object == o && t.Relation == relation {
			list = append(list, t)
		}
	}
	return list
}

func (r *reference) expr(x *schema.Expr, of string, a tuple.Key, m, other model) verdict {
	operands := func() []verdict {
		var list []verdict
		for _, o := range x.Operands {
			list = append(list, r.expr(o, of, a, m, other))
		}
		return list
	}
	switch x.Kind {
	case schema.Direct:
		var list []verdict
		for _, t := range r.of(a.Object, of) {
			list = append(list, allVerdicts([]verdict{r.condition(t), r.member(a.Subject, t.Subject, m)}))
		}
		return anyVerdict(list)
	case schema.Computed:
		return m[tuple.Key{Object: a.Object, Relation: r.schema.Relation(x.Relation).Name, Subject: a.Subject}]
	case schema.Fixed:
		o := r.fixedSubject(x.Object).Object()
		return m[tuple.Key{Object: o, Relation: r.schema.Relation(x.Relation).Name, Subject: a.Subject}]
	case schema.Self:
		return known(a.Subject == tuple.Subject{Type: a.Object.Type, ID: a.Object.ID})
	case schema.Union:
		return anyVerdict(operands())
	case schema.Intersection:
		return allVerdicts(operands())
	case schema.Exclusion:
		left := r.expr(x.Operands[0], of, a, m, other)
		right := other[tuple.Key{Object: a.Object, Relation: excludedName(x.Operands[1]), Subject: a.Subject}]
		return allVerdicts([]verdict{left, right.not()})
	case schema.Arrow, schema.Every:
		var list []verdict
		for _, t := range r.of(a.Object, r.schema.Relation(x.Relation).Name) {
			if t.Subject.ID == "*" {
				continue
			}
			there := known(false)
			if target := x.Target(r.schema.Type(t.Subject.Type).ID); target != 0 {
				there = m[tuple.Key{Object: t.Subject.Object(), Relation: r.schema.Relation(target).Name, Subject: a.Subject}]
			}
			list = append(list, allVerdicts([]verdict{r.condition(t), there}))
		}
		if x.Kind == schema.Every && len(list) > 0 {
			return allVerdicts(list)
		} else if x.Kind == schema.Every {
			return known(false)
		}
		return anyVerdict(list)
	}
	return known(false)
}

// condition says what the random worlds' conditions say: each is one variable,
// given by the tuple, or else by the request, or else missing; "fails" errs.
func (r *reference) condition(t tuple.Tuple) verdict {
	name := t.Condition.Name
	if name == "" {
		return known(true)
	}
	if name == "fails" {
		return verdict{truth: 1, causes: map[string]bool{"!": true}}
	}
	switch t.Condition.Context {
	case tuple.Context(`{"` + name + `":true}`):
		return known(true)
	case tuple.Context(`{"` + name + `":false}`):
		return known(false)
	}
	if b, ok := r.context[name]; ok {
		return known(b)
	}
	return verdict{truth: 1, causes: map[string]bool{name: true}}
}
