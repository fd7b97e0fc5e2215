package scenario

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// runner judges the assertions of one test.
type runner struct {
	ctx    context.Context
	schema *schema.Schema
	world  World
	tuples []tuple.Tuple
	now    time.Time
	test   *Test
}

// assertion asks for every subject, name and object of an assertion, and for
// "only" for everybody else too.
func (r *runner) assertion(a *schema.Assertion) error {
	at := a.At
	if at.IsZero() {
		at = r.now
	}
	var questions []engine.Question
	for _, object := range a.Objects {
		for _, name := range a.Names {
			for _, subject := range a.Subjects {
				questions = append(questions, engine.Question{Object: object, Permission: name, Subject: subject})
			}
		}
	}
	results, err := r.ask(questions, at, a.Context)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Place, err)
	}
	for i, q := range questions {
		r.judge(a, q, results[i], at)
	}
	if a.Kind != schema.Only {
		return nil
	}
	for _, object := range a.Objects {
		for _, name := range a.Names {
			if err := r.nobodyElse(a, object, name, at); err != nil {
				return fmt.Errorf("%s: %w", a.Place, err)
			}
		}
	}
	return nil
}

// ask asks the world, and holds it to as many answers as questions.
func (r *runner) ask(questions []engine.Question, at time.Time, given tuple.Context) ([]engine.Result, error) {
	results, err := r.world.Check(r.ctx, questions, at, given)
	if err == nil && len(results) != len(questions) {
		err = fmt.Errorf("%d questions have %d answers", len(questions), len(results))
	}
	return results, err
}

func (r *runner) judge(a *schema.Assertion, q engine.Question, result engine.Result, at time.Time) {
	check := r.check(a, q, at)
	check.Want = wanted(a)
	check.Got, check.Missing = outcome(result)
	if result.Err != nil {
		check.Why = result.Err.Error()
	}
	check.Passed = check.Got == check.Want
	if check.Passed && a.Kind == schema.IsConditional && a.Missing != nil {
		want := slices.Compact(slices.Sorted(slices.Values(a.Missing)))
		if check.Passed = slices.Equal(check.Missing, want); !check.Passed {
			check.Want += " missing " + strings.Join(want, ", ")
		}
	}
	if !check.Passed && check.Why == "" {
		check.Why = r.world.Explain(r.ctx, q, at, a.Context)
	}
	r.test.Checks = append(r.test.Checks, check)
}

func (r *runner) check(a *schema.Assertion, q engine.Question, at time.Time) *Check {
	check := &Check{Place: a.Place.String(), place: a.Place, Assertion: kindText(a.Kind), Permission: q.Permission, Object: q.Object.String(),
		Context: string(a.Context)}
	if q.Subject != (tuple.Subject{}) {
		check.Subject = q.Subject.String()
	}
	if !a.At.IsZero() {
		check.At = at.UTC().Format(time.RFC3339Nano)
	}
	return check
}

// nobodyElse asks for all subjects of the kinds that an "only" names: those that
// the test, the schema or the assertion mention, the wildcard, and a stranger
// that nobody mentions, who stands for all others.
func (r *runner) nobodyElse(a *schema.Assertion, object tuple.Object, name string, at time.Time) error {
	listed := map[tuple.Subject]bool{}
	for _, s := range a.Subjects {
		listed[s] = true
	}
	var questions []engine.Question
	candidates, stranger := r.candidates(a)
	for _, candidate := range candidates {
		everybody := tuple.Subject{Type: candidate.Type, ID: tuple.Wildcard}
		if !listed[candidate] && (candidate.IsUserset() || !listed[everybody]) {
			questions = append(questions, engine.Question{Object: object, Permission: name, Subject: candidate})
		}
	}
	results, err := r.ask(questions, at, a.Context)
	if err != nil {
		return err
	}
	check := r.check(a, engine.Question{Object: object, Permission: name}, at)
	check.Want = "nobody else"
	var others []string
	for i, result := range results {
		got, _ := outcome(result)
		if got == "denied" {
			continue
		}
		q := questions[i]
		text := q.Subject.String()
		if q.Subject.ID == stranger {
			text = "any other " + q.Subject.Type
		}
		if got != "allowed" {
			text += " (" + got + ")"
		}
		others = append(others, text)
		if check.Why == "" {
			if check.Why = r.world.Explain(r.ctx, q, at, a.Context); result.Err != nil {
				check.Why = result.Err.Error()
			}
		}
	}
	check.Got = "nobody else"
	if len(others) > 0 {
		check.Got = "also " + strings.Join(others, ", ")
	}
	check.Passed = len(others) == 0
	r.test.Checks = append(r.test.Checks, check)
	return nil
}

// candidates are all subjects of the kinds in an assertion, in order, among them
// the stranger with an id that nothing mentions.
func (r *runner) candidates(a *schema.Assertion) (candidates []tuple.Subject, stranger string) {
	type kind struct{ typ, relation string }
	var kinds []kind
	for _, s := range a.Subjects {
		if k := (kind{s.Type, s.Relation}); !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	ids := r.mentioned(a)
	stranger = "somebody-else"
	for slices.ContainsFunc(slices.Collect(maps.Values(ids)), func(ids []string) bool { return slices.Contains(ids, stranger) }) {
		stranger += "-again"
	}
	for _, k := range kinds {
		named := slices.Clone(ids[k.typ])
		if t := r.schema.Type(k.typ); t == nil || t.Singleton == "" {
			named = append(named, stranger)
		}
		for _, id := range named {
			candidates = append(candidates, tuple.Subject{Type: k.typ, ID: id, Relation: k.relation})
		}
		if k.relation == "" {
			candidates = append(candidates, tuple.Subject{Type: k.typ, ID: tuple.Wildcard})
		}
	}
	return candidates, stranger
}

// mentioned returns the ids of all objects by type that could have a tuple or
// stand in the schema, sorted.
func (r *runner) mentioned(a *schema.Assertion) map[string][]string {
	ids := map[string][]string{}
	add := func(typ, id string) {
		if id != tuple.Wildcard {
			ids[typ] = append(ids[typ], id)
		}
	}
	for _, t := range r.tuples {
		add(t.Object.Type, t.Object.ID)
		add(t.Subject.Type, t.Subject.ID)
	}
	for _, s := range a.Subjects {
		add(s.Type, s.ID)
	}
	for _, o := range a.Objects {
		add(o.Type, o.ID)
	}
	for _, t := range r.schema.Types {
		if t.Singleton != "" {
			add(t.Name, t.Singleton)
		}
		for _, relation := range t.Relations {
			for id, fixed := range relation.Sealed {
				add(t.Name, id)
				for _, f := range fixed {
					add(r.schema.TypeByID(f.Type).Name, f.ID)
				}
			}
			eachExpr(relation.Rewrite, func(x *schema.Expr) {
				if x.Kind == schema.Fixed {
					add(r.schema.TypeByID(x.Object.Type).Name, x.Object.ID)
				}
			})
		}
	}
	for typ := range ids {
		slices.Sort(ids[typ])
		ids[typ] = slices.Compact(ids[typ])
	}
	return ids
}

func eachExpr(x *schema.Expr, visit func(*schema.Expr)) {
	if x == nil {
		return
	}
	visit(x)
	for _, operand := range x.Operands {
		eachExpr(operand, visit)
	}
}

func wanted(a *schema.Assertion) string {
	switch a.Kind {
	case schema.Allow, schema.Only:
		return "allowed"
	case schema.IsConditional:
		return "conditional"
	default:
		return "denied"
	}
}

// gotError is what a check got whose question had an error for an answer.
const gotError = "error"

func outcome(r engine.Result) (text string, missing []string) {
	switch {
	case r.Err != nil:
		return gotError, nil
	case r.Answer.Outcome == engine.Allowed:
		return "allowed", nil
	case r.Answer.Outcome == engine.Conditional:
		return "conditional", r.Answer.Missing
	default:
		return "denied", nil
	}
}

func kindText(k schema.AssertionKind) string {
	switch k {
	case schema.Allow:
		return "allow"
	case schema.Deny:
		return "deny"
	case schema.IsConditional:
		return "conditional"
	default:
		return "only"
	}
}
