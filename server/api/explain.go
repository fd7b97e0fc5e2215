package api

// ExplainResponse answers a CheckRequest with the way to the answer.
type ExplainResponse struct {
	Answer
	Evaluated
	Explanation *Step `json:"explanation"`
}

// Step is one node of an explanation: what was asked, what it came to, and the
// steps it rests on. Where it is allowed these are reason enough, and never
// circular; where it is not, they are all that was tried.
type Step struct {
	Kind      string         `json:"kind"`               // name, tuple, direct, union, intersection, exclusion, arrow, every, sealed, acts_for, self or nobody
	Object    string         `json:"object,omitzero"`    // the object that the step is about
	Relation  string         `json:"relation,omitzero"`  // the relation or permission of the object
	Subject   string         `json:"subject,omitzero"`   // whom it was asked for
	Result    Result         `json:"result"`             // what it came to; error where the whole answer did not hang on it
	Missing   []string       `json:"missing,omitzero"`   // conditional: the context that was not given
	Rewrite   string         `json:"rewrite,omitzero"`   // the part of the schema, as the language has it
	Place     string         `json:"place,omitzero"`     // file:line:column of it
	Tuple     *Tuple         `json:"tuple,omitzero"`     // the tuple that the step looks at
	Condition *ConditionStep `json:"condition,omitzero"` // what the tuple's condition said
	Reason    string         `json:"reason,omitzero"`    // in words, where the steps do not say it: expired, no such tuple, shown above
	Steps     []*Step        `json:"steps,omitzero"`     // what it rests on
}

// ConditionStep is the evaluation of one condition.
type ConditionStep struct {
	Name    string             `json:"name"`
	Result  Result             `json:"result"` // allowed: it holds; denied: it does not
	Missing []string           `json:"missing,omitzero"`
	Error   string             `json:"error,omitzero"`  // why it could not be evaluated
	Values  map[string]Context `json:"values,omitzero"` // the values that were read, as JSON, by parameter
}

// ExpandRequest is the body of POST …/expand: the tree of usersets that makes up
// object#permission, without a subject (the Zanzibar paper, section 2.4.5).
type ExpandRequest struct {
	Object     string `json:"object"`
	Permission string `json:"permission"`
	Depth      int    `json:"depth,omitzero"` // levels of usersets to open; 0: all
	Brought
	Moment
}

// ExpandResponse answers an ExpandRequest.
type ExpandResponse struct {
	Tree *Userset `json:"tree"`
	Evaluated
}

// Userset is one node of an expanded tree. A userset is opened once: where it
// comes again, in a cycle or beside, its node says Back.
type Userset struct {
	Kind     string     `json:"kind"`              // userset, tuples, union, intersection, exclusion, arrow, every, sealed, self or nobody
	Object   string     `json:"object,omitzero"`   // userset: what is opened; self: who is meant
	Relation string     `json:"relation,omitzero"` // userset: the relation or permission of the object
	Via      *Leaf      `json:"via,omitzero"`      // the tuple that leads here, where one does
	Back     bool       `json:"back,omitzero"`     // opened elsewhere in the tree
	Cut      bool       `json:"cut,omitzero"`      // lies below the depth that was asked for
	Actors   []Actor    `json:"actors,omitzero"`   // types that hold this only by acting for an owner
	Subjects []Leaf     `json:"subjects,omitzero"` // tuples, sealed: the subjects, usersets included
	Children []*Userset `json:"children,omitzero"`
}

// Leaf is a tuple with what its condition says of it by itself.
type Leaf struct {
	Tuple
	Result  Result   `json:"result"` // denied where the condition is false
	Missing []string `json:"missing,omitzero"`
}

// Actor is a type whose objects act for their owners: they hold a name exactly
// where an owner holds it, and the rest of the node means nothing for them.
type Actor struct {
	Type  string `json:"type"`
	Owner string `json:"owner,omitzero"` // the relation to the owners; empty: they may not act so
}
