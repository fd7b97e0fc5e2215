package api

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Question asks whether a subject has a permission on an object. Permission may
// be the name of a relation too.
type Question struct {
	Object     string `json:"object"`     // document:readme
	Permission string `json:"permission"` // view
	Subject    string `json:"subject"`    // user:ana, group:eng#member or user:*
	Brought
}

// Brought is what a question brings along.
type Brought struct {
	Context          Context `json:"context,omitzero"`           // what conditions read beside their tuples' context
	ContextualTuples []Tuple `json:"contextual_tuples,omitzero"` // judged and walked as if written, seen by this question alone
}

// Moment is what a request sees: one revision and one instant, from start to end.
type Moment struct {
	Consistency *Consistency `json:"consistency,omitzero"`
	At          time.Time    `json:"at,omitzero"` // the instant asked about; zero: now, or of an exact snapshot its own
}

// CheckRequest is the body of POST …/check and …/explain.
type CheckRequest struct {
	Question
	Moment
}

// Result is what an answer says, in a word.
type Result string

// The results. Excluded is said of a subject that a lookup lists beside the
// wildcard: everyone but this one. Failed is said of a step of an explanation
// alone; an answer that fails is a Problem.
const (
	Allowed     Result = "allowed"
	Denied      Result = "denied"
	Conditional Result = "conditional"
	Excluded    Result = "excluded"
	Failed      Result = "error"
)

// Answer answers one Question. The zero value denies.
type Answer struct {
	Allowed bool     `json:"allowed"`
	Result  Result   `json:"result"`
	Missing []string `json:"missing"` // conditional: the context that was needed and not given
}

// Evaluated says where an answer comes from: its revision and its instant.
type Evaluated struct {
	Token       tuple.Token `json:"token"`
	EvaluatedAt time.Time   `json:"evaluated_at"`
}

// CheckResponse answers a CheckRequest.
type CheckResponse struct {
	Answer
	Evaluated
}

// BatchRequest is the body of POST …/check/batch: many questions at one revision
// and one instant.
type BatchRequest struct {
	Checks []Question `json:"checks"`
	Moment
}

// BatchResponse holds one result per question, in their order.
type BatchResponse struct {
	Results []BatchResult `json:"results"`
	Evaluated
}

// BatchResult is an answer or a problem, never both and never neither.
type BatchResult struct {
	Answer  *Answer  `json:"answer,omitzero"`
	Problem *Problem `json:"problem,omitzero"`
}
