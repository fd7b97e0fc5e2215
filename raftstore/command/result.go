package command

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Result is what apply answers to one command. It is the same on every node.
type Result struct {
	Revision tuple.Revision `json:"revision"` // the entry's; of a replayed write the first one's
	Time     time.Time      `json:"time"`     // the entry's log time

	Created uint64 `json:"created,omitzero"` // tuples that were absent and are there now
	Updated uint64 `json:"updated,omitzero"` // tuples that have other attributes now
	Deleted uint64 `json:"deleted,omitzero"` // tuples that are gone now

	// Quarantined tuples are listed and not walked. PutSchema: those that it put
	// there; ResolveQuarantine: those that stay.
	Quarantined uint64 `json:"quarantined,omitzero"`

	Replayed bool          `json:"replayed,omitzero"` // the answer of an earlier write with the same idempotency key
	More     bool          `json:"more,omitzero"`     // CollectExpired: others have expired as well
	Store    *StoreInfo    `json:"store,omitzero"`    // PutStore, DeleteStore, PutSchema
	Schema   *SchemaResult `json:"schema,omitzero"`   // PutSchema

	Rejection *Rejection `json:"rejection,omitzero"` // nil: accepted
}

// StoreInfo describes a store.
type StoreInfo struct {
	Name           string         `json:"name"`
	ID             uint32         `json:"id"`      // never reused
	Created        tuple.Revision `json:"created"` // the revision that created it
	Index          StoreIndex     `json:"index"`
	CreatedAt      time.Time      `json:"created_at"`
	SchemaRevision tuple.Revision `json:"schema_revision,omitzero"` // 0: no schema yet
	New            bool           `json:"new,omitzero"`             // PutStore: this very command created it
}

// SchemaResult describes what a PutSchema did.
type SchemaResult struct {
	Revision  tuple.Revision `json:"revision"` // the schema's own: an earlier one where Unchanged
	Digest    [32]byte       `json:"digest"`
	Unchanged bool           `json:"unchanged,omitzero"` // the same sources were there already
	Orphans   []OrphanShape  `json:"orphans,omitzero"`   // what was deleted or quarantined
}

// OrphanShape counts tuples of one shape that a schema does not admit.
type OrphanShape struct {
	Type      string   `json:"type"`
	Relation  string   `json:"relation"`
	Subject   string   `json:"subject"` // user, group#member or user:*
	Condition string   `json:"condition,omitzero"`
	Expiry    bool     `json:"expiry,omitzero"`
	Reason    string   `json:"reason"`
	Count     uint64   `json:"count"`
	Examples  []string `json:"examples"` // a few of them, as text
}
