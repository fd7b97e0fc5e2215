package api

import "github.com/pemba-authz/pemba/schema/tuple"

// ReadRequest is the body of POST …/tuples/read: the tuples that a filter
// selects, in the order of their keys.
type ReadRequest struct {
	Filter      Filter       `json:"filter,omitzero"`
	Consistency *Consistency `json:"consistency,omitzero"`
	Page
}

// ReadResponse is one page; the last one has no cursor.
type ReadResponse struct {
	Tuples []Tuple `json:"tuples"`
	Cursor string  `json:"cursor,omitzero"`
	Evaluated
}

// Op is what an operation does with its tuple.
type Op string

// The operations: Create refuses a tuple that is there, Touch writes it either
// way, Delete removes it and does not mind if it is not there.
const (
	Create Op = "create"
	Touch  Op = "touch"
	Delete Op = "delete"
)

// Operation writes or deletes one tuple. For Delete the key alone counts.
type Operation struct {
	Op Op `json:"op"`
	Tuple
}

// Must is what a precondition demands.
type Must string

// The demands: some tuple matches the filter; none does; nothing that matches
// has changed since a token.
const (
	Match     Must = "match"
	NotMatch  Must = "not_match"
	Unchanged Must = "unchanged"
)

// Precondition must hold at the very moment of the write, or nothing is written.
type Precondition struct {
	Must   Must        `json:"must"`
	Filter Filter      `json:"filter"`
	Since  tuple.Token `json:"since,omitzero"` // for Unchanged
}

// WriteRequest is the body of POST …/tuples/write: all of it is written, or
// nothing. No two operations may name the same tuple.
type WriteRequest struct {
	Operations     []Operation    `json:"operations"`
	Preconditions  []Precondition `json:"preconditions,omitzero"`
	IdempotencyKey string         `json:"-"` // the Idempotency-Key header; the client makes one where it is empty
	// IdempotencySince is any token from before the first try with this key, the
	// Idempotency-Since header. The client sends one with the keys that it makes.
	IdempotencySince tuple.Token `json:"-"`
}

// WriteResponse says what a write changed. Its token carries the revision of
// the write: an answer at least as fresh as it knows the change.
type WriteResponse struct {
	Token    tuple.Token `json:"token"`
	Written  int         `json:"written"`           // tuples that are new or differ from before
	Deleted  int         `json:"deleted"`           // tuples that were there and are gone
	Replayed bool        `json:"replayed,omitzero"` // the same Idempotency-Key had been answered before
}

// DeleteRequest is the body of POST …/tuples/delete: every tuple that the filter
// selects goes, in one change.
type DeleteRequest struct {
	Filter         Filter         `json:"filter"`
	All            bool           `json:"all,omitzero"` // needed for a filter that selects everything
	Preconditions  []Precondition `json:"preconditions,omitzero"`
	IdempotencyKey string         `json:"-"` // as in WriteRequest

	IdempotencySince tuple.Token `json:"-"` // as in WriteRequest
}

// QuarantinedRequest is the body of POST …/tuples/quarantined/read: tuples that a
// later schema did not admit. They are kept and never walked.
type QuarantinedRequest struct {
	Filter Filter `json:"filter,omitzero"`
	Page
}

// QuarantinedResponse is one page; the last one has no cursor.
type QuarantinedResponse struct {
	Tuples []Tuple `json:"tuples"`
	Cursor string  `json:"cursor,omitzero"`
	Evaluated
}

// DeleteQuarantinedRequest is the body of POST …/tuples/quarantined/delete.
type DeleteQuarantinedRequest struct {
	Filter Filter `json:"filter"`
	All    bool   `json:"all,omitzero"` // needed for a filter that selects everything
}
