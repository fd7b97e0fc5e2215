package api

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Dialect is the language that schema files are written in.
type Dialect string

// The dialects; the empty one is Pemba's own.
const (
	Pemba   Dialect = "pemba"
	OpenFGA Dialect = "openfga"
	SpiceDB Dialect = "spicedb"
)

// SchemaFile is one file of a schema. The first file of a schema is its root;
// imports name the others. A model of OpenFGA may be its DSL, its JSON, or an
// fga.mod with its modules.
type SchemaFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Orphans says what happens to tuples that a new schema does not admit.
type Orphans string

// The ways with orphans: Refuse the schema, Delete the tuples, or Ignore them
// (they are quarantined: kept, listed, never walked).
const (
	RefuseOrphans Orphans = "refuse"
	DeleteOrphans Orphans = "delete"
	IgnoreOrphans Orphans = "ignore"
)

// SchemaSource is a schema as it is written.
type SchemaSource struct {
	Files   []SchemaFile `json:"files"`
	Dialect Dialect      `json:"dialect,omitzero"`
}

// PutSchemaRequest is the body of PUT …/schema. Its If-Match header, when set,
// names the schema that is to be replaced by its ETag; `*` is any, and without
// the header nothing is demanded.
type PutSchemaRequest struct {
	SchemaSource
	Orphans Orphans `json:"orphans,omitzero"` // empty: RefuseOrphans
	IfMatch string  `json:"-"`                // the If-Match header
}

// PutSchemaResponse says what became of the tuples.
type PutSchemaResponse struct {
	ETag        string       `json:"etag"`
	Token       tuple.Token  `json:"token"`
	Changed     bool         `json:"changed"`              // false: the store had this very schema
	Deleted     int          `json:"deleted,omitzero"`     // orphans that were deleted
	Quarantined int          `json:"quarantined,omitzero"` // orphans that were set aside
	Warnings    Faults       `json:"warnings"`
	Files       []SchemaFile `json:"files,omitzero"` // another dialect: what it became in Pemba's
}

// SchemaResponse is a schema of a store.
type SchemaResponse struct {
	Files     []SchemaFile `json:"files"`
	ETag      string       `json:"etag"`
	Token     tuple.Token  `json:"token"`               // the revision that it was written at
	WrittenAt time.Time    `json:"written_at,omitzero"` // unless history no longer reaches back that far
	Dialect   Dialect      `json:"dialect,omitzero"`    // that it was written in, when that is not Pemba's
	Original  []SchemaFile `json:"original,omitzero"`   // as it was written in the dialect
}

// SchemaVersion is one schema that a store has or had.
type SchemaVersion struct {
	ETag      string      `json:"etag"`
	Token     tuple.Token `json:"token"` // GET …/schema?revision= takes it
	WrittenAt time.Time   `json:"written_at,omitzero"`
}

// SchemaVersionsResponse lists the schemas of a store, the newest first, as far
// back as history is kept.
type SchemaVersionsResponse struct {
	Versions []SchemaVersion `json:"versions"`
	More     bool            `json:"more,omitzero"` // there are older ones: history no longer has them, or the list is at its limit
}

// ValidateSchemaResponse answers POST …/schema/validate for a good schema; a bad
// one is answered with the problem that writing it would get.
type ValidateSchemaResponse struct {
	Warnings Faults       `json:"warnings"`
	Files    []SchemaFile `json:"files,omitzero"` // another dialect: what it became in Pemba's
}
