package server

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
)

// explain answers POST …/explain: a check, with what its answer rests on.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) error {
	asked, snap, view, err := s.asked(r.Context(), w, r, r.PathValue("store"))
	if err != nil {
		return err
	}
	defer snap.Close()
	explanation, err := engine.Explain(&snap.pace, view, asked.Question)
	if err != nil {
		return placesOf(asked.Question).of(err)
	}
	snap.pace.leave()
	return respond(w, http.StatusOK, api.ExplainResponse{Answer: s.answer(explanation.Answer), Evaluated: snap.evaluated,
		Explanation: wireStep(explanation.Root)})
}

// wireStep gives a step its wire form. The engine bounds how deep steps nest.
func wireStep(step *engine.Step) *api.Step {
	out := &api.Step{Kind: string(step.Kind), Relation: step.Relation, Result: result(step.Outcome), Missing: step.Missing,
		Rewrite: step.Rewrite, Reason: step.Reason}
	if step.Failed {
		out.Result = api.Failed
	}
	if step.Object.Type != "" {
		out.Object = step.Object.String()
	}
	if step.Subject.Type != "" {
		out.Subject = step.Subject.String()
	}
	if step.Place != (source.Place{}) {
		out.Place = step.Place.String()
	}
	if step.Tuple != nil {
		t := api.FromTuple(*step.Tuple)
		out.Tuple = &t
	}
	if c := step.Condition; c != nil {
		out.Condition = wireCondition(c)
	}
	for _, below := range step.Steps {
		out.Steps = append(out.Steps, wireStep(below))
	}
	return out
}

func wireCondition(c *engine.ConditionStep) *api.ConditionStep {
	out := &api.ConditionStep{Name: c.Name, Result: result(c.Outcome), Missing: c.Missing, Error: c.Err}
	if c.Err != "" {
		out.Result = api.Failed
	}
	if len(c.Values) > 0 {
		out.Values = make(map[string]api.Context, len(c.Values))
	}
	for name, text := range c.Values {
		value := jsontext.Value(text)
		if !value.IsValid() { // a value that JSON does not have, such as an infinite number
			value, _ = jsontext.AppendQuote(nil, text)
		}
		out.Values[name] = value
	}
	return out
}
