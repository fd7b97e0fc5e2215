package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// verifier checks an explanation from its own text: that every allowed step
// rests on tuples that count and on steps that are allowed, without a circle,
// and that what excludes is denied by the reference.
type verifier struct {
	w     *world
	r     *reference
	proof map[tuple.Key]*engine.Step // the step that shows why
	path  map[tuple.Key]bool
}

func (p *verifier) verify(s *engine.Step) error {
	if s.Outcome != engine.Allowed {
		return fmt.Errorf("a step of the path is %s: %+v", s.Outcome, s)
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s %s#%s for %s: %s", s.Kind, s.Object, s.Relation, s.Subject, fmt.Sprintf(format, args...))
	}
	switch s.Kind {
	case engine.StepName:
		key := tuple.Key{Object: s.Object, Relation: s.Relation, Subject: s.Subject}
		if s.Subject == (tuple.Subject{Type: s.Object.Type, ID: s.Object.ID, Relation: s.Relation}) {
			return nil
		}
		if len(s.Steps) == 0 {
			if s = p.proof[key]; s == nil {
				return fmt.Errorf("%s is shown nowhere", key)
			}
		}
		if p.path[key] {
			return fmt.Errorf("%s rests on itself", key)
		}
		p.path[key] = true
		defer delete(p.path, key)
		return p.verify(s.Steps[0])
	case engine.StepTuple:
		if p.r.condition(*s.Tuple).truth != 2 || !p.r.counts(*s.Tuple) {
			return fail("its tuple does not count")
		}
		found := false
		for _, t := range p.r.tuples {
			found = found || t == *s.Tuple
		}
		if !found {
			return fail("there is no such tuple")
		}
		return p.all(s)
	case engine.StepUnion, engine.StepArrow, engine.StepDirect, engine.StepActs:
		if len(s.Steps) != 1 {
			return fail("%d reasons", len(s.Steps))
		}
		return p.all(s)
	case engine.StepIntersection:
		return p.all(s)
	case engine.StepEvery:
		counted := 0
		for _, c := range s.Steps {
			if !strings.Contains(c.Reason, "expired") && !strings.Contains(c.Reason, "admit") {
				counted++
				if err := p.verify(c); err != nil {
					return err
				}
			}
		}
		if counted == 0 {
			return fail("every of none")
		}
	case engine.StepExclusion:
		if len(s.Steps) != 2 || s.Steps[1].Outcome != engine.Denied {
			return fail("what excludes is not denied")
		}
		return p.verify(s.Steps[0])
	}
	return nil
}

func (p *verifier) all(s *engine.Step) error {
	for _, c := range s.Steps {
		if err := p.verify(c); err != nil {
			return err
		}
	}
	return nil
}

// collect finds the steps that show names, and holds every named step's outcome
// to the reference.
func (p *verifier) collect(t *testing.T, s *engine.Step) {
	if s.Kind == engine.StepName {
		key := tuple.Key{Object: s.Object, Relation: s.Relation, Subject: s.Subject}
		if len(s.Steps) > 0 {
			p.proof[key] = s
		}
		want := p.r.lower[key].String()
		got := text(engine.Answer{Outcome: s.Outcome, Missing: s.Missing}, nil)
		if s.Failed {
			got = "error"
		}
		if got != want {
			t.Errorf("the step %s says %s, want %s", key, got, want)
		}
	}
	for _, c := range s.Steps {
		p.collect(t, c)
	}
}

// compareExplain holds explanations to the answers of checks and verifies the
// paths of those that allow.
func compareExplain(t *testing.T, seed uint64, w *world, r *reference, questions []engine.Question) int {
	t.Helper()
	asked := 0
	for _, q := range questions {
		want := r.said(q.Object, q.Permission, q.Subject)
		if want == "denied" && asked > 40 || asked > 120 {
			continue
		}
		asked++
		x, err := engine.Explain(t.Context(), w.view(), q)
		if err != nil {
			if want != "error" {
				t.Errorf("seed %d: explain %+v: %v, want %s\n%s", seed, q, err, want, w)
			}
			continue
		}
		if got := text(x.Answer, nil); got != want {
			t.Errorf("seed %d: explain %+v: got %s, want %s\n%s", seed, q, got, want, w)
		}
		p := &verifier{w: w, r: r, proof: map[tuple.Key]*engine.Step{}, path: map[tuple.Key]bool{}}
		p.collect(t, x.Root)
		if x.Answer.Outcome == engine.Allowed {
			if err := p.verify(x.Root); err != nil {
				t.Errorf("seed %d: explain %+v: %v\n%s\n%s", seed, q, err, x, w)
			}
		}
		if t.Failed() {
			t.Logf("seed %d: explain %+v\n%s\n%s", seed, q, x, w)
			return asked
		}
	}
	return asked
}
