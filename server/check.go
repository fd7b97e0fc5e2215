package server

import (
	"context"
	"net/http"
	"slices"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// check answers POST …/check. In comes a question in text; the store is pinned
// at one revision and instant (openView), the engine walks it (engine.Check), and
// out goes its answer. Denied is 200; what is no answer is a problem.
func (s *Server) check(w http.ResponseWriter, r *http.Request, store string) error {
	asked, snap, view, err := s.asked(w, r, store)
	if err != nil {
		return err
	}
	defer snap.Close()
	answer, err := engine.Check(r.Context(), view, asked.Question)
	if err != nil {
		s.metrics.failed()
		return asked.places().of(err)
	}
	response := api.CheckResponse{Answer: s.answer(answer), Evaluated: snap.evaluated}
	out := borrow()
	defer out.giveBack()
	if out.text, err = body.AppendCheckResponse(out.text, &response); err != nil {
		return err
	}
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
func (s *Server) asked(w http.ResponseWriter, r *http.Request, store string) (asked question, snap *snapshot, view engine.View, err error) {
	text, err := s.text(w, r)
	if err != nil {
		return
	}
	request, plain := body.ReadCheck(text)
	if !plain {
		request = api.CheckRequest{}
		if err = decodeStrict([]byte(text), s.limits.JSONDepth, &request); err != nil {
			return
		}
	}
	asked, faults := s.question(request.Question)
	if err = faults.Err(); err != nil {
		return
	}
	snap, view, err = s.openView(r.Context(), store, request.Moment, asked.brought)
	return
}

// question reads the text of a question; faults have pointers into it.
func (s *Server) question(wire api.Question) (question, api.Faults) {
	var (
		out    question
		faults api.Faults
	)
	out.Object, faults = object("/object", wire.Object, faults)
	out.Permission, faults = name("/permission", wire.Permission, false, faults)
	out.Subject, faults = subject("/subject", wire.Subject, faults)
	with, wrong := s.bring(wire.Brought)
	out.brought = with
	return out, append(faults, wrong...)
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
	out := api.Answer{Allowed: answer.Outcome == engine.Allowed, Result: result(answer.Outcome), Missing: answer.Missing}
	if out.Missing == nil {
		out.Missing = nothing
	}
	s.metrics.outcomes[answer.Outcome].Inc()
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

// checkBatch answers POST …/check/batch: every question at the same revision and
// instant, each with an answer or a problem of its own.
func (s *Server) checkBatch(w http.ResponseWriter, r *http.Request, store string) error {
	text, err := s.text(w, r)
	if err != nil {
		return err
	}
	var request api.BatchRequest
	if !body.ReadBatch(text, &request) {
		request = api.BatchRequest{}
		if err := decodeStrict([]byte(text), s.limits.JSONDepth, &request); err != nil {
			return err
		}
	}
	if n := len(request.Checks); n > s.limits.BatchChecks {
		return api.Faults{tooMany("/checks", "questions", n, s.limits.BatchChecks, "batch_checks")}.Problem()
	}
	snap, err := s.open(r.Context(), store, request.Moment)
	if err != nil {
		return err
	}
	defer snap.Close()
	results := make([]api.BatchResult, len(request.Checks))
	for _, group := range s.groups(request.Checks, results) {
		if err := s.checkGroup(r, snap, group, results); err != nil {
			return err
		}
	}
	out := borrow()
	defer out.giveBack()
	if out.text, err = body.AppendBatchResponse(out.text, &api.BatchResponse{Results: results, Evaluated: snap.evaluated}); err != nil {
		return err
	}
	writeJSON(w, out)
	return nil
}

// group is questions of a batch that bring the same along, so that they share
// what the engine finds out.
type group struct {
	indices   []int
	questions []question
}

// groups sorts the questions of a batch; those with faults get their problem at once.
func (s *Server) groups(checks []api.Question, results []api.BatchResult) []*group {
	var groups []*group
	same := map[string]*group{}
	for i, wire := range checks {
		asked, faults := s.question(wire)
		if problem := faults.Under("/checks/" + itoa(i)).Problem(); problem != nil {
			results[i].Problem = problem
			continue
		}
		key := broughtKey(wire)
		g := same[key]
		if g == nil {
			g = &group{}
			same[key] = g
			groups = append(groups, g)
		}
		g.indices, g.questions = append(g.indices, i), append(g.questions, asked)
	}
	return groups
}

// broughtKey tells apart what questions bring along, by their exact text.
func broughtKey(wire api.Question) string {
	if len(wire.Context) == 0 && len(wire.ContextualTuples) == 0 {
		return ""
	}
	digest, err := requestDigest("", api.Question{Brought: wire.Brought})
	if err != nil {
		return itoa(len(wire.ContextualTuples)) + string(wire.Context) // cannot happen: it has been decoded from JSON
	}
	return string(digest[:])
}

func (s *Server) checkGroup(r *http.Request, snap *snapshot, g *group, results []api.BatchResult) error {
	fail := func(i int, err error) {
		s.metrics.failed()
		problem := *s.problem(r, g.questions[i].places().of(err))
		problem.Errors = slices.Clone(problem.Errors).Under("/checks/" + itoa(g.indices[i]))
		results[g.indices[i]].Problem = &problem
	}
	view, err := s.engineView(snap, g.questions[0].brought)
	var answers []engine.Result
	if err == nil {
		questions := make([]engine.Question, len(g.questions))
		for i, q := range g.questions {
			questions[i] = q.Question
		}
		answers, err = engine.CheckAll(r.Context(), view, questions)
	}
	if cause := context.Cause(r.Context()); cause != nil {
		return cause
	}
	for i := range g.questions {
		switch {
		case err != nil:
			fail(i, err)
		case answers[i].Err != nil:
			fail(i, answers[i].Err)
		default:
			answer := s.answer(answers[i].Answer)
			results[g.indices[i]].Answer = &answer
		}
	}
	return nil
}

func tooMany(pointer, what string, n, most int, limit string) api.Fault {
	return api.Fault{Code: api.TooMany, Pointer: pointer, Message: "there are " + itoa(n) + " " + what + ", " + itoa(most) + " are the most",
		Suggestion: "see " + limit + " of /v1/limits"}
}
