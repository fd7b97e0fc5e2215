package server

import (
	"context"
	"net/http"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// check answers POST …/check. In comes a question in text; the store is pinned
// at one revision and instant (openView), the engine walks it (engine.Check), and
// out goes its answer. Denied is 200; what is no answer is a problem.
func (s *Server) check(ctx context.Context, w http.ResponseWriter, r *http.Request, store string) error {
	asked, snap, view, err := s.asked(ctx, w, r, store)
	if err != nil {
		return err
	}
	defer snap.Close()
	answer, err := engine.Check(&snap.pace, view, asked.Question)
	if err != nil {
		s.metrics.failures.Inc()
		return placesOf(asked.Question).of(err)
	}
	response := api.CheckResponse{Answer: s.answer(answer), Evaluated: snap.evaluated}
	out := borrow()
	defer out.giveBack()
	if out.text, err = body.AppendCheckResponse(out.text, &response); err != nil {
		return err
	}
	snap.pace.leave()
	writeJSON(w, out)
	return nil
}

// question is a question whose text has been read.
type question struct {
	engine.Question
	brought
}

// asked reads the one question of a check and opens what the engine walks for
// it. Without an error, the caller closes the snapshot.
func (s *Server) asked(ctx context.Context, w http.ResponseWriter, r *http.Request, store string) (asked question, snap *snapshot, view engine.View, err error) {
	text, err := s.text(w, r)
	if err != nil {
		return
	}
	request, plain := body.ReadCheck(text)
	if !plain {
		if request, err = s.decodeCheck(text); err != nil {
			return
		}
	}
	asked, faults := s.question(request.Question)
	if err = faults.Err(); err != nil {
		return
	}
	snap, view, err = s.openView(ctx, store, request.Moment, asked.brought)
	return
}

func (s *Server) decodeCheck(text string) (request api.CheckRequest, err error) {
	err = decodeStrict([]byte(text), s.limits.JSONDepth, &request)
	return request, err
}

// question reads the text of a question; faults have pointers into it.
func (s *Server) question(wire api.Question) (question, api.Faults) {
	asked, faults := ends(&wire)
	with, wrong := s.bring(wire.Brought)
	return question{asked, with}, append(faults, wrong...)
}

// ends reads the text of a question without what it brings along.
func ends(wire *api.Question) (out engine.Question, faults api.Faults) {
	out.Object, faults = object("/object", wire.Object, faults)
	out.Permission, faults = name("/permission", wire.Permission, false, faults)
	out.Subject, faults = subject("/subject", wire.Subject, faults)
	return out, faults
}

func object(pointer, text string, faults api.Faults) (tuple.Object, api.Faults) {
	o, err := tuple.ParseObject(text)
	return o, appendInvalid(faults, pointer, err)
}

func subject(pointer, text string, faults api.Faults) (tuple.Subject, api.Faults) {
	s, err := tuple.ParseSubject(text)
	return s, appendInvalid(faults, pointer, err)
}

func name(pointer, text string, isType bool, faults api.Faults) (string, api.Faults) {
	return text, appendInvalid(faults, pointer, tuple.ValidName(text, isType))
}

func appendInvalid(faults api.Faults, pointer string, err error) api.Faults {
	if err == nil {
		return faults
	}
	return append(faults, api.Fault{Code: api.InvalidValue, Pointer: pointer, Message: err.Error()})
}

// nothing is missing.
var nothing = []string{}

// answer gives an answer its wire form and counts it.
func (s *Server) answer(answer engine.Answer) api.Answer {
	s.metrics.outcomes[answer.Outcome].Inc()
	return wireAnswer(answer)
}

// wireAnswer gives an answer its wire form.
func wireAnswer(answer engine.Answer) api.Answer {
	out := api.Answer{Allowed: answer.Outcome == engine.Allowed, Result: result(answer.Outcome), Missing: answer.Missing}
	if out.Missing == nil {
		out.Missing = nothing
	}
	return out
}

func result(outcome engine.Outcome) api.Result {
	switch outcome {
	case engine.Allowed:
		return api.Allowed
	case engine.Conditional:
		return api.Conditional
	}
	return api.Denied
}

func tooMany(pointer, what string, n, most int, limit string) api.Fault {
	return api.Fault{Code: api.TooMany, Pointer: pointer, Message: "there are " + itoa(n) + " " + what + ", " + itoa(most) + " are the most",
		Suggestion: "see " + limit + " of /v1/limits"}
}
