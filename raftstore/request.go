package raftstore

import (
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The words of a write are those of the command that carries it.
type (
	// WriteRequest is one atomic change of a store's tuples: all of it, or nothing
	// and a *Rejection.
	WriteRequest = command.Write
	// Operation is one change of a write.
	Operation = command.Operation
	// Precondition is judged in apply, before anything of its write is done.
	Precondition = command.Precondition
	// SchemaRequest replaces a store's schema: sources, and the admission table
	// that was compiled from them.
	SchemaRequest = command.PutSchema
	// StoreInfo describes a store.
	StoreInfo = command.StoreInfo
	// Rejection says why the state machine changed nothing; it is an error.
	Rejection = command.Rejection
)

// WriteResult is what a write did: Created, Updated and Deleted count tuples.
type WriteResult struct {
	command.Result
	Token tuple.Token // of the revision
}

// SchemaResult is what a schema write did. Its Revision is the schema's own: an
// earlier one where the same sources were in force already.
type SchemaResult struct {
	command.SchemaResult
	Token tuple.Token // of the revision at which it was judged
}

// Consistency says which revision a read sees: exactly one of the constructors'
// results. The zero value is MinimizeLatency.
type Consistency struct {
	mode     consistencyMode
	revision tuple.Revision
}

type consistencyMode uint8

const (
	minimizeLatency consistencyMode = iota
	atLeastAsFresh
	atExactSnapshot
	fullyConsistent
)

// MinimizeLatency reads what this node has applied.
func MinimizeLatency() Consistency { return Consistency{} }

// AtLeastAsFresh waits until this node has applied the revision, then reads what
// it has applied.
func AtLeastAsFresh(r tuple.Revision) Consistency { return Consistency{atLeastAsFresh, r} }

// AtExactSnapshot reads at the revision, inside the history that is kept.
func AtExactSnapshot(r tuple.Revision) Consistency { return Consistency{atExactSnapshot, r} }

// FullyConsistent reads at a revision that contains every write that was
// acknowledged anywhere before the read began.
func FullyConsistent() Consistency { return Consistency{mode: fullyConsistent} }
