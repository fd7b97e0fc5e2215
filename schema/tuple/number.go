package tuple

// TypeID numbers a type within one store. Numbers are given when a schema is
// applied, the same on every node, and are never reused; 0 is no type.
type TypeID uint32

// RelationID numbers one relation or permission of one type within a store: two
// types' viewers have different numbers, so the number implies the type. It is
// never reused; 0 is no relation, and as part of a Ref means the object itself.
type RelationID uint32

// ConditionID numbers a condition within one store; 0 is no condition.
type ConditionID uint32

// Node is the number of an object in one reader's view: it means nothing
// outside the view that gave it. 0 is no object. A wildcard subject is the node
// of the object with the id "*". A reader's numbers are at most MaxNode.
type Node uint32

// MaxNode is the highest number that a reader gives; those above it are for
// objects that only a request names.
const MaxNode Node = 1<<31 - 1

// ObjectName is an object whose type has a number already.
type ObjectName struct {
	Type TypeID
	ID   string
}

// Ref is a subject by number: a node, or with a Relation the userset
// node#relation. As the far end of an edge walked backwards it is object#relation.
type Ref struct {
	Node     Node
	Relation RelationID
}

// Edge is a tuple seen from one of its ends: Ref is the other end.
type Edge struct {
	Ref       Ref
	Relation  RelationID // the tuple's own where it is read in a row of several; else 0
	Condition ConditionID
	Context   Context
	Expires   uint64 // Nanoseconds; 0 when it never expires
}

// ExpiredAt says whether the edge is gone at an instant in Unix nanoseconds. The
// instant of expiry itself is already gone.
func (e Edge) ExpiredAt(instant int64) bool {
	return e.Expires != 0 && instant >= 0 && e.Expires <= uint64(instant)
}
