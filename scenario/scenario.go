// Package scenario runs the tests that stand in schemas, and scenario files:
// schema, tuples and assertions as data, which the engine, the server and the
// command line all answer alike.
//
// Call Run with a compiled module; Load reads scenario files and Compile makes
// modules of them. A Report prints as text, JSON or JUnit XML.
package scenario

import (
	"context"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Options says how tests are run. The zero value runs all of them over the
// engine, at the present instant.
type Options struct {
	Now    time.Time              // the instant of assertions that name none; zero: the time of Run
	Match  func(test string) bool // which tests run, by name; nil: all
	Limits engine.Limits          // of each question
	// Open makes the world that a test's questions are asked of; nil: OpenMemory.
	// Worlds of a server or a client bring no coverage.
	Open func(ctx context.Context, m *schema.Module, tuples []tuple.Tuple) (World, error)
}

// World answers questions over the tuples of one test.
type World interface {
	// Check answers each question at an instant, with the request's context. The
	// error is the world's own and ends the run; a question's error is in its Result.
	Check(ctx context.Context, questions []engine.Question, at time.Time, given tuple.Context) ([]engine.Result, error)
	// Explain says in a few lines why a question has its answer; "" when it cannot.
	Explain(ctx context.Context, question engine.Question, at time.Time, given tuple.Context) string
	// Close drops the world.
	Close() error
}

// Run runs the module's tests in their order. The error is the context's or the
// world's: a test that fails is no error, but stands in the report.
func Run(ctx context.Context, m *schema.Module, o Options) (*Report, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	coverage := &engine.Coverage{}
	if o.Open == nil {
		o.Open = func(_ context.Context, m *schema.Module, tuples []tuple.Tuple) (World, error) {
			return OpenMemory(m, tuples, o.Limits, coverage)
		}
	} else {
		coverage = nil
	}
	report := &Report{}
	if len(m.Files) > 0 {
		report.File = m.Files[0].Name
	}
	for _, t := range m.Tests {
		if o.Match != nil && !o.Match(t.Name) {
			continue
		}
		result, err := runTest(ctx, m, t, o)
		if err != nil {
			return nil, fmt.Errorf("test %q: %w", t.Name, err)
		}
		report.add(result)
	}
	if coverage != nil {
		report.Coverage = covered(m.Schema, coverage)
	}
	return report, nil
}

func runTest(ctx context.Context, m *schema.Module, t *schema.Test, o Options) (*Test, error) {
	start := time.Now()
	result := &Test{Name: t.Name, Place: t.Place.String()}
	defer func() { result.took = time.Since(start) }()
	tuples := make([]tuple.Tuple, len(t.Given))
	for i, given := range t.Given {
		tuples[i] = given.Tuple
	}
	if faults := Admit(m.Admitter, tuples); len(faults) > 0 {
		for _, f := range faults {
			place := t.Given[f.Index].Place
			result.Faults = append(result.Faults, Fault{Place: place.String(), Code: string(f.Code), Message: f.Message, place: place})
		}
		return result, nil
	}
	world, err := o.Open(ctx, m, tuples)
	if err != nil {
		return nil, err
	}
	defer world.Close()
	r := runner{ctx: ctx, schema: m.Schema, world: world, tuples: tuples, now: o.Now, test: result}
	for _, a := range t.Assertions {
		if err := r.assertion(a); err != nil {
			return nil, err
		}
	}
	return result, nil
}
