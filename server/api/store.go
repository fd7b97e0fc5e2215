package api

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Store is the unit of isolation: its own schema and tuples; nothing crosses it.
type Store struct {
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"created_at,omitzero"`
	Index       StoreIndex `json:"index"`
	Tuples      int64      `json:"tuples"`               // those that have expired and are not collected yet included
	Quarantined int64      `json:"quarantined,omitzero"` // tuples that a later schema did not admit
	Schema      bool       `json:"schema"`               // it has a schema
	SchemaETag  string     `json:"schema_etag,omitzero"`
}

// StoreIndex says where a store's graph is read: chosen when it is made.
type StoreIndex string

// The indexes. Answers are the same.
const (
	IndexMemory StoreIndex = "memory" // held in memory by every node: microseconds
	IndexDisk   StoreIndex = "disk"   // read from the disk: for stores that would fill the memory
)

// PutStoreRequest is the body of PUT /v1/stores/{store}; it may be left out.
type PutStoreRequest struct {
	Index StoreIndex `json:"index,omitzero"` // memory where nothing is said
}

// PutStoreResponse answers PUT /v1/stores/{store}: 201 when it is new, else 200.
type PutStoreResponse struct {
	Store
	Created bool        `json:"created"`
	Token   tuple.Token `json:"token"`
}

// StoresResponse answers GET /v1/stores: a page of the stores by name. The last
// one has no cursor.
type StoresResponse struct {
	Stores []Store `json:"stores"`
	Cursor string  `json:"cursor,omitzero"`
}

// DeleteStoreResponse answers DELETE /v1/stores/{store}.
type DeleteStoreResponse struct {
	Token tuple.Token `json:"token"`
}

// Limits are the bounds of a server, at GET /v1/limits. Durations are in
// milliseconds, sizes in bytes.
type Limits struct {
	BodyBytes          int64 `json:"body_bytes"`
	JSONDepth          int   `json:"json_depth"`
	BatchChecks        int   `json:"batch_checks"`
	WriteOperations    int   `json:"write_operations"`
	Preconditions      int   `json:"preconditions"`
	ContextualTuples   int   `json:"contextual_tuples"`
	PageEntries        int   `json:"page_entries"`         // most of one page
	DefaultPageEntries int   `json:"default_page_entries"` // where the request says nothing
	SchemaBytes        int64 `json:"schema_bytes"`
	SchemaFiles        int   `json:"schema_files"`
	IDBytes            int   `json:"id_bytes"`
	NameBytes          int   `json:"name_bytes"`
	ContextBytes       int   `json:"context_bytes"`         // of one tuple
	RequestContext     int   `json:"request_context_bytes"` // of one request
	TreeNodes          int   `json:"tree_nodes"`            // of one expansion
	EvaluationNodes    int   `json:"evaluation_nodes"`
	RequestMillis      int64 `json:"request_millis"`
	StreamMillis       int64 `json:"stream_millis"` // of a stream whose client reads on
	HeaderBytes        int   `json:"header_bytes"`
	Connections        int   `json:"connections"`
	Watchers           int   `json:"watchers"`         // streams of changes at once
	HeartbeatMillis    int64 `json:"heartbeat_millis"` // of such a stream
}

// Cluster answers GET /v1/cluster.
type Cluster struct {
	ClusterID string      `json:"cluster_id"`
	NodeID    string      `json:"node_id"`   // the node that answers
	LeaderID  string      `json:"leader_id"` // empty: there is none at the moment
	Role      string      `json:"role"`      // leader, follower, candidate, …
	Ready     bool        `json:"ready"`     // the node serves
	Reason    string      `json:"reason,omitzero"`
	Secured   string      `json:"secured"` // how the node's cluster port is guarded: mutual TLS, loopback, insecure or none
	Feature   uint32      `json:"feature"` // the level of commands and behaviour that the cluster uses
	Token     tuple.Token `json:"token"`   // the revision that the node has applied
	Members   []Member    `json:"members"`
}

// Member is one node of the cluster.
type Member struct {
	ID      string `json:"id"`
	Address string `json:"address"` // of the cluster's own traffic
	API     string `json:"api,omitzero"`
	Name    string `json:"name,omitzero"` // of its certificate
	Voter   bool   `json:"voter"`
	Replica bool   `json:"replica"` // without a vote for good
	Feature uint32 `json:"feature"` // the highest level that its build knows
	Leader  bool   `json:"leader"`
}

// Health answers GET /healthz and /readyz.
type Health struct {
	Status string `json:"status"` // ok, or not_ready
	Reason string `json:"reason,omitzero"`
}
