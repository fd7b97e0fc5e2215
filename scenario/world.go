package scenario

import (
	"context"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// OpenMemory makes the world of the engine over tuples in memory. Coverage may
// be nil.
func OpenMemory(m *schema.Module, tuples []tuple.Tuple, limits engine.Limits, coverage *engine.Coverage) (World, error) {
	reader, err := memory.New(m.Schema, tuples)
	if err != nil {
		return nil, err
	}
	return memoryWorld{engine.View{Schema: m.Schema, Admission: m.Admitter, Reader: reader, Limits: limits, Coverage: coverage}}, nil
}

type memoryWorld struct{ view engine.View }

func (w memoryWorld) Check(ctx context.Context, questions []engine.Question, at time.Time, given tuple.Context) ([]engine.Result, error) {
	view, err := w.at(at, given)
	if err != nil {
		return nil, err
	}
	return engine.CheckAll(ctx, view, questions)
}

func (w memoryWorld) Explain(ctx context.Context, question engine.Question, at time.Time, given tuple.Context) string {
	view, err := w.at(at, given)
	if err != nil {
		return err.Error()
	}
	view.Coverage = nil // what explains a failure exercises nothing
	explanation, err := engine.Explain(ctx, view, question)
	if err != nil {
		return err.Error()
	}
	return explanation.String()
}

func (w memoryWorld) at(at time.Time, given tuple.Context) (engine.View, error) {
	view := w.view
	view.Now = at
	var err error
	view.Context, err = condition.NewRequest([]byte(given), at)
	return view, err
}

func (w memoryWorld) Close() error { return nil }
