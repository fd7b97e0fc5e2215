package api

import "github.com/pemba-authz/pemba/schema/tuple"

// VerifyResponse answers POST /v1/cluster/verify: what every member holds at one
// revision, recounted on its disk and in its memory.
type VerifyResponse struct {
	Equal    bool             `json:"equal"`    // every member answered, and all hold the same
	Findings []string         `json:"findings"` // what is wrong, for people; empty when equal
	Token    tuple.Token      `json:"token"`    // of the revision
	Members  []VerifiedMember `json:"members"`
}

// VerifiedMember is what one member holds.
type VerifiedMember struct {
	ID      string          `json:"id"`
	Error   string          `json:"error,omitzero"`   // why it gave no answer
	Cluster string          `json:"cluster,omitzero"` // a hash of what concerns no store alone
	Stores  []VerifiedStore `json:"stores"`
}

// VerifiedStore is what one member holds of a store.
type VerifiedStore struct {
	Name        string `json:"name"`
	Tuples      uint64 `json:"tuples"`
	Quarantined uint64 `json:"quarantined,omitzero"`
	Digest      string `json:"digest"`         // of the tuples, whatever their order and history
	State       string `json:"state"`          // a hash of all that is kept: tuples, schemas, names
	Fault       string `json:"fault,omitzero"` // what this member counts differently than when it was written
}
