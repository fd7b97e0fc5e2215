package api

import "github.com/pemba-authz/pemba/schema/tuple"

// Consistency says how fresh an answer must be: exactly one member is set. None
// at all, a nil *Consistency, is MinimizeLatency.
type Consistency struct {
	MinimizeLatency *struct{}   `json:"minimize_latency,omitzero"`
	AtLeastAsFresh  *AtRevision `json:"at_least_as_fresh,omitzero"`
	AtExactSnapshot *AtRevision `json:"at_exact_snapshot,omitzero"`
	FullyConsistent *struct{}   `json:"fully_consistent,omitzero"`
}

// AtRevision names a revision by the token that an earlier answer carried.
type AtRevision struct {
	Token tuple.Token `json:"token"`
}

// MinimizeLatency answers at the revision that the asked node has applied.
func MinimizeLatency() *Consistency { return &Consistency{MinimizeLatency: &struct{}{}} }

// AtLeastAsFresh answers at the token's revision or a later one.
func AtLeastAsFresh(token tuple.Token) *Consistency {
	return &Consistency{AtLeastAsFresh: &AtRevision{Token: token}}
}

// AtExactSnapshot answers at the token's revision, as long as history holds it.
func AtExactSnapshot(token tuple.Token) *Consistency {
	return &Consistency{AtExactSnapshot: &AtRevision{Token: token}}
}

// FullyConsistent answers at a revision that holds every write acknowledged
// before the request began.
func FullyConsistent() *Consistency { return &Consistency{FullyConsistent: &struct{}{}} }
