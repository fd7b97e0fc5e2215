package body

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/server/api"
)

// Members of requests.
const (
	object members = 1 << iota
	permission
	subject
	checks
	consistency
)

const question = object | permission | subject

// ReadCheck reads the body of a check. What it returns shares the text's memory.
// False means that it is for the general decoder.
func ReadCheck(text string) (out api.CheckRequest, ok bool) {
	s := scanner{text: text}
	var seen members
	ok = s.object(func(name string) bool {
		if name == "consistency" {
			return seen.once(consistency) && s.consistency(&out.Consistency)
		}
		return s.member(name, &out.Question, &seen)
	})
	return out, ok && seen&question == question && s.end()
}

// ReadBatch reads the body of a batch into out, whose list of checks it uses
// again. What is in it shares the text's memory. False means that it is for the
// general decoder; out is of no use then.
func ReadBatch(text string, out *api.BatchRequest) bool {
	s := scanner{text: text}
	list := out.Checks[:0]
	*out = api.BatchRequest{}
	var seen members
	ok := s.object(func(name string) bool {
		switch name {
		case "checks":
			return seen.once(checks) && s.list(func() bool {
				list = append(list, api.Question{})
				q := &list[len(list)-1]
				var seen members
				return s.object(func(name string) bool { return s.member(name, q, &seen) }) && seen == question
			})
		case "consistency":
			return seen.once(consistency) && s.consistency(&out.Consistency)
		}
		return false
	})
	out.Checks = list
	return ok && seen&checks != 0 && s.end()
}

// member reads a member of a question.
func (s *scanner) member(name string, q *api.Question, seen *members) bool {
	switch name {
	case "object":
		return seen.once(object) && s.into(&q.Object)
	case "permission":
		return seen.once(permission) && s.into(&q.Permission)
	case "subject":
		return seen.once(subject) && s.into(&q.Subject)
	}
	return false
}

// consistency reads one that has a single member, as all good ones do.
func (s *scanner) consistency(out **api.Consistency) bool {
	c := &api.Consistency{}
	*out = c
	n := 0
	return s.object(func(name string) bool {
		n++
		switch {
		case n > 1:
			return false
		case name == "minimize_latency":
			c.MinimizeLatency = &struct{}{}
			return s.take('{') && s.take('}')
		case name == "fully_consistent":
			c.FullyConsistent = &struct{}{}
			return s.take('{') && s.take('}')
		case name == "at_least_as_fresh":
			c.AtLeastAsFresh = &api.AtRevision{}
			return s.revision(c.AtLeastAsFresh)
		case name == "at_exact_snapshot":
			c.AtExactSnapshot = &api.AtRevision{}
			return s.revision(c.AtExactSnapshot)
		}
		return false
	})
}

func (s *scanner) revision(out *api.AtRevision) bool {
	n := 0
	return s.object(func(name string) bool {
		n++
		return name == "token" && n == 1 && s.into((*string)(&out.Token))
	}) && n == 1
}

// AppendCheck appends the body of a check. False means that it is for the general
// encoder; what was appended is of no use then.
func AppendCheck(b []byte, request *api.CheckRequest) ([]byte, bool) {
	if !request.At.IsZero() {
		return b, false
	}
	b, ok := appendQuestion(b, &request.Question)
	if !ok {
		return b, false
	}
	b, ok = appendConsistency(b, request.Consistency)
	return append(b, '}'), ok
}

// AppendBatch appends the body of a batch, like AppendCheck.
func AppendBatch(b []byte, request *api.BatchRequest) (_ []byte, ok bool) {
	if !request.At.IsZero() {
		return b, false
	}
	b = append(b, `{"checks":[`...)
	for i := range request.Checks {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = appendQuestion(b, &request.Checks[i]); !ok {
			return b, false
		}
		b = append(b, '}')
	}
	b, ok = appendConsistency(append(b, ']'), request.Consistency)
	return append(b, '}'), ok
}

// appendQuestion leaves the object open.
func appendQuestion(b []byte, q *api.Question) (_ []byte, ok bool) {
	if q.Context != nil || q.ContextualTuples != nil {
		return b, false
	}
	if b, ok = appendString(append(b, `{"object":`...), q.Object); !ok {
		return b, false
	}
	if b, ok = appendString(append(b, `,"permission":`...), q.Permission); !ok {
		return b, false
	}
	return appendString(append(b, `,"subject":`...), q.Subject)
}

func appendConsistency(b []byte, c *api.Consistency) ([]byte, bool) {
	switch {
	case c == nil:
		return b, true
	case c.AtLeastAsFresh != nil && *c == api.Consistency{AtLeastAsFresh: c.AtLeastAsFresh}:
		b, ok := appendString(append(b, `,"consistency":{"at_least_as_fresh":{"token":`...), string(c.AtLeastAsFresh.Token))
		return append(b, '}', '}'), ok
	}
	return b, false
}

// appendString appends a quoted string; false where it is not valid UTF-8.
func appendString[text ~string](b []byte, s text) ([]byte, bool) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			b, err := jsontext.AppendQuote(b, s)
			return b, err == nil
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true
}
