// Package api holds the words that Pemba's server and its clients exchange: the
// requests and answers under /v1, the problem documents, and their codes. It is
// a leaf: an application that imports it compiles no storage and no consensus.
//
// Begin with CheckRequest and CheckResponse; package client sends them. Every
// request that asks something holds the same optional members: a Moment says how
// fresh the answer must be and which instant is asked about, and Brought what the
// request itself brings for conditions and tuples.
package api

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Media types of bodies.
const (
	JSON        = "application/json"
	NDJSON      = "application/x-ndjson"
	ProblemJSON = "application/problem+json"
	Text        = "text/plain"
)

// IdempotencyKey is the header that makes a repeated write the same write.
const IdempotencyKey = "Idempotency-Key"

// IdempotencySince is the header with a token from before a write's first try: with
// it a key that is no longer remembered is told from one that is new.
const IdempotencySince = "Idempotency-Since"

// Prefix is the version of the surface that this package describes.
const Prefix = "/v1"

// Context is a JSON object: what conditions read. It is kept as it was written,
// so that no number loses a digit.
type Context = jsontext.Value

// NewContext makes a context of a map or struct.
func NewContext(values any) (Context, error) {
	text, err := json.Marshal(values, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	return Context(text), nil
}
