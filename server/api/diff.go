package api

// DiffSchemaRequest is the body of POST …/schema/diff: what writing this schema
// would change, for the meaning, the live tuples, the saved tests and decisions.
// Nothing is written.
type DiffSchemaRequest struct {
	SchemaSource
	ChangesOnly bool `json:"changes_only,omitzero"` // look at no tuples and run no tests
	Impact      bool `json:"impact,omitzero"`       // find the decisions that would flip as well
	Moment
}

// DiffSchemaResponse answers a DiffSchemaRequest.
type DiffSchemaResponse struct {
	Changes  []SchemaChange `json:"changes"`  // breaking ones first, then by name
	Breaking bool           `json:"breaking"` // one of the changes is
	Warnings Faults         `json:"warnings"` // of the new schema

	Orphans     []Orphan `json:"orphans,omitzero"` // live tuples that the new schema does not admit
	OrphanCount int      `json:"orphan_count"`     // more than there are in the list, where that is at its limit

	Tests []Regression `json:"tests,omitzero"` // tests saved with the store's schema that would begin to fail

	Flips     []Flip `json:"flips,omitzero"`      // decisions that differ, without a request's context
	MoreFlips bool   `json:"more_flips,omitzero"` // the list is at its limit: there are others

	Evaluated
}

// SchemaChange is one difference of meaning between two schemas.
type SchemaChange struct {
	Code     string `json:"code"`            // stable: type_added, shape_removed, rewrite_changed, …
	Name     string `json:"name"`            // what changed: document, document#viewer, condition from_office
	Detail   string `json:"detail,omitzero"` // from what to what
	Breaking bool   `json:"breaking"`        // tuples, writes or questions that were good may be refused
	Effect   string `json:"effect"`          // none, grants_more, grants_less or grants_other
	Place    string `json:"place,omitzero"`  // file:line:column, in the new schema or, for what is gone, in the old one
}

// Orphan is a live tuple that the new schema does not admit.
type Orphan struct {
	Tuple   Tuple  `json:"tuple"`
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Regression is a test saved with a schema that passes now and would fail.
type Regression struct {
	Test  string `json:"test"`
	Place string `json:"place"` // file:line:column, in the schema that it was saved with
	Why   string `json:"why"`   // the first thing that fails
}

// Flip is a decision that differs. The subject type:* stands for everybody of its
// type who has no decision of their own.
type Flip struct {
	Object     string `json:"object"`
	Permission string `json:"permission"`
	Subject    string `json:"subject"`
	Before     Result `json:"before"`
	After      Result `json:"after"`
}
