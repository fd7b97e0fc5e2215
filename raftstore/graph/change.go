package graph

import (
	"errors"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Tuple is a tuple by number, with the ids of its objects still as text.
type Tuple struct {
	ObjectType      tuple.TypeID
	ObjectID        string
	Relation        tuple.RelationID
	SubjectType     tuple.TypeID
	SubjectID       string           // "*" for a wildcard
	SubjectRelation tuple.RelationID // 0 unless the subject is a userset
	Condition       tuple.ConditionID
	Context         tuple.Context
	Expires         uint64 // tuple.Nanoseconds; 0 when it never expires
}

// Change is what one write does to one tuple. The key (object, relation and
// subject) decides which: a tuple of the same key is replaced, with its
// condition, context and expiry. Of a removed tuple only the key is read.
type Change struct {
	Remove bool
	Tuple  Tuple
}

// Errors of this package.
var (
	// ErrReclaimed: the index no longer holds what a view at that revision would see.
	ErrReclaimed = errors.New("graph: the revision has been reclaimed")
	// ErrClosed: the view was closed before the call.
	ErrClosed = errors.New("graph: the view is closed")
	// ErrOrder: a change came with a revision before one already applied.
	ErrOrder = errors.New("graph: the revision is before the last one applied")
	// ErrFull: the index holds as many tuples, objects or bytes as it can number.
	ErrFull = errors.New("graph: the index is full")
	// ErrPinned: a view has been open over more writes than the index can tell apart.
	ErrPinned = errors.New("graph: a view has been open for too many writes")
	// ErrUnknownNode: the number was not given by this view.
	ErrUnknownNode = errors.New("graph: no such node")
)
