package api

import "time"

// ExplainResponse answers a CheckRequest with the way to the answer.
type ExplainResponse struct {
	Answer
	Evaluated
	Explanation *Step `json:"explanation"`
}

// Step is one node of an explanation: what was asked of it, what it said, and
// the steps it rests on.
type Step struct {
	Kind      string         `json:"kind"`               // union, intersection, exclusion, tuple, permission, arrow, every, …
	Object    string         `json:"object,omitzero"`    // the object#relation that the step is about
	Relation  string         `json:"relation,omitzero"`  //
	Subject   string         `json:"subject,omitzero"`   // whom it was asked for
	Result    Result         `json:"result"`             // what it said
	Missing   []string       `json:"missing,omitzero"`   // conditional: the context that was not given
	Tuple     *Tuple         `json:"tuple,omitzero"`     // the tuple that decided
	Condition *ConditionStep `json:"condition,omitzero"` // what the tuple's condition said
	Reason    string         `json:"reason,omitzero"`    // in words: expired, no tuple, part of a cycle
	Place     string         `json:"place,omitzero"`     // file:line:column of the rewrite in the schema
	Steps     []*Step        `json:"steps,omitzero"`     // what it rests on
}

// ConditionStep is the evaluation of one condition.
type ConditionStep struct {
	Name    string             `json:"name"`
	Holds   bool               `json:"holds"`
	Missing []string           `json:"missing,omitzero"`
	Values  map[string]Context `json:"values,omitzero"` // the values that were read
}

// ExpandRequest is the body of POST …/expand: the tree of usersets that makes up
// object#permission, without a subject (the Zanzibar paper, section 2.4.5).
type ExpandRequest struct {
	Object           string       `json:"object"`
	Permission       string       `json:"permission"`
	Depth            int          `json:"depth,omitzero"` // levels of usersets to open; 0: all
	Context          Context      `json:"context,omitzero"`
	ContextualTuples []Tuple      `json:"contextual_tuples,omitzero"`
	Consistency      *Consistency `json:"consistency,omitzero"`
	At               time.Time    `json:"at,omitzero"`
}

// ExpandResponse answers an ExpandRequest.
type ExpandResponse struct {
	Tree *Userset `json:"tree"`
	Evaluated
}

// Userset is one node of an expanded tree.
type Userset struct {
	Kind       string     `json:"kind"`                // union, intersection, exclusion, tuples, every, …
	Object     string     `json:"object,omitzero"`     // the object#relation that the node expands
	Relation   string     `json:"relation,omitzero"`   //
	Conditions []string   `json:"conditions,omitzero"` // conditions on the way here that must hold as well
	Back       bool       `json:"back,omitzero"`       // stands above or beside already: not opened again
	Cut        bool       `json:"cut,omitzero"`        // lies below the depth that was asked for
	Subjects   []Tuple    `json:"subjects,omitzero"`   // the tuples of a leaf
	Children   []*Userset `json:"children,omitzero"`
}
