package body

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Members of answers.
const (
	allowed members = 1 << iota
	result
	missing
	token
	evaluatedAt
	results
)

const (
	answered  = allowed | result | missing
	evaluated = token | evaluatedAt
)

// AppendCheckResponse appends the answer of a check.
func AppendCheckResponse(b []byte, response *api.CheckResponse) ([]byte, error) {
	b = append(b, '{')
	b, err := appendAnswer(b, &response.Answer)
	if err != nil {
		return nil, err
	}
	return append(appendEvaluated(b, &response.Evaluated), '}'), nil
}

// AppendBatchResponse appends the answer of a batch.
func AppendBatchResponse(b []byte, response *api.BatchResponse) ([]byte, error) {
	b = append(b, `{"results":[`...)
	for i := range response.Results {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendResult(b, &response.Results[i]); err != nil {
			return nil, err
		}
	}
	return append(appendEvaluated(append(b, ']'), &response.Evaluated), '}'), nil
}

func appendResult(b []byte, r *api.BatchResult) ([]byte, error) {
	if r.Answer == nil || r.Problem != nil {
		text, err := json.Marshal(r, json.Deterministic(true))
		return append(b, text...), err
	}
	b, err := appendAnswer(append(b, `{"answer":{`...), r.Answer)
	return append(b, '}', '}'), err
}

// appendAnswer appends the members of an answer.
func appendAnswer(b []byte, a *api.Answer) ([]byte, error) {
	if a.Allowed {
		b = append(b, `"allowed":true,"result":`...)
	} else {
		b = append(b, `"allowed":false,"result":`...)
	}
	b, _ = appendString(b, a.Result) // one of ours
	b = append(b, `,"missing":[`...)
	for i, name := range a.Missing {
		if i > 0 {
			b = append(b, ',')
		}
		text, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		b = append(b, text...)
	}
	return append(b, ']'), nil
}

func appendEvaluated(b []byte, e *api.Evaluated) []byte {
	b, _ = appendString(append(b, `,"token":`...), e.Token) // base64
	b = append(b, `,"evaluated_at":"`...)
	b = e.EvaluatedAt.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// ReadCheckResponse reads the answer of a check. What it returns shares the text's
// memory. False means that it is for the general decoder.
func ReadCheckResponse(text string) (out api.CheckResponse, ok bool) {
	s := scanner{text: text}
	var seen members
	ok = s.object(func(name string) bool {
		return s.answer(name, &out.Answer, &seen) || s.evaluated(name, &out.Evaluated, &seen)
	})
	return out, ok && seen == answered|evaluated && s.end()
}

// ReadBatchResponse reads the answer of a batch, like ReadCheckResponse. Problems
// are for the general decoder.
func ReadBatchResponse(text string) (out api.BatchResponse, ok bool) {
	s := scanner{text: text}
	out.Results = []api.BatchResult{}
	var seen members
	ok = s.object(func(name string) bool {
		if name == "results" {
			return seen.once(results) && s.list(func() bool {
				a := &api.Answer{}
				out.Results = append(out.Results, api.BatchResult{Answer: a})
				return s.item(a)
			})
		}
		return s.evaluated(name, &out.Evaluated, &seen)
	})
	return out, ok && seen == results|evaluated && s.end()
}

// result reads a word, without holding on to the text for one that is known.
func (s *scanner) result(out *api.Result) bool {
	word, ok := s.string()
	switch *out = api.Result(word); *out {
	case api.Allowed:
		*out = api.Allowed
	case api.Denied:
		*out = api.Denied
	case api.Conditional:
		*out = api.Conditional
	}
	return ok
}

// item reads what stands for one question of a batch.
func (s *scanner) item(a *api.Answer) bool {
	n := 0
	return s.object(func(name string) bool {
		n++
		var seen members
		return name == "answer" && n == 1 && s.object(func(name string) bool { return s.answer(name, a, &seen) }) && seen == answered
	}) && n == 1
}

// answer reads a member of an answer.
func (s *scanner) answer(name string, a *api.Answer, seen *members) bool {
	switch name {
	case "allowed":
		return seen.once(allowed) && s.boolean(&a.Allowed)
	case "result":
		return seen.once(result) && s.result(&a.Result)
	case "missing":
		a.Missing = []string{}
		return seen.once(missing) && s.list(func() bool {
			a.Missing = append(a.Missing, "")
			return s.into(&a.Missing[len(a.Missing)-1])
		})
	}
	return false
}

// evaluated reads a member of where an answer comes from.
func (s *scanner) evaluated(name string, e *api.Evaluated, seen *members) bool {
	switch name {
	case "token":
		text, ok := s.string()
		e.Token = tuple.Token(strings.Clone(text)) // tokens are kept for long, and the text need not be
		return seen.once(token) && ok
	case "evaluated_at":
		return seen.once(evaluatedAt) && s.instant(&e.EvaluatedAt)
	}
	return false
}
