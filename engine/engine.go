// Package engine answers questions over the graph of tuples: Check, Expand, the
// lookups of objects, subjects and permissions, and Explain. It is pure: it
// reads through one small interface, Reader, and knows no storage, no network
// and no clock.
//
// Call Check first. The semantics are those of the Zanzibar paper (section 2.3)
// with the well-founded model where a rewrite recurs through an exclusion.
package engine

import (
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is what one request sees from start to end: a schema, the tuples at one
// revision, one instant, and what the request itself brings.
type View struct {
	Schema     *schema.Schema
	Admission  *schema.Admitter // judges Contextual; it may be nil where there are none
	Reader     Reader
	Now        time.Time          // the instant that expiry and now() are judged at
	Context    *condition.Request // the request's part of the context; nil is none
	Contextual []tuple.Tuple      // evaluated as if written, over the reader's tuples of the same key
	Limits     Limits
	Coverage   *Coverage // records which branches of the schema were walked; nil records nothing
}

// Outcome is what a check says. The zero value denies. The fourth outcome, an
// error, is a Go error and carries no Answer.
type Outcome uint8

const (
	Denied Outcome = iota
	Conditional
	Allowed
)

// Question asks whether a subject has a relation or permission on an object.
type Question struct {
	Object     tuple.Object
	Permission string
	Subject    tuple.Subject
}

// Answer answers a Question.
type Answer struct {
	Outcome Outcome
	Missing []string // Conditional: the context that was needed and not given, sorted
}
