package engine

import (
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Reader is all that the engine reads: the tuples of one store as they stand at
// one revision, as a graph by number. Expired edges may still be in it: the
// engine drops them by its request's instant. A Reader is used by one goroutine.
//
// Every method's error ends the request as an error: it is never an answer.
type Reader interface {
	// Node returns the number of an object, or 0 when no tuple here names it.
	// The id "*" is the wildcard subject of the type.
	Node(t tuple.TypeID, id string) (tuple.Node, error)

	// Object returns the type and id of a node that this reader gave.
	Object(n tuple.Node) (tuple.TypeID, string, error)

	// Edge is the membership test: the tuple object#relation@subject, if there is one.
	Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error)

	// Subjects yields the direct subjects of object#relation, of every kind.
	// The Ref of each edge is the subject.
	Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error]

	// Usersets yields those direct subjects of object#relation that are usersets.
	Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error]

	// Objects yields every object#relation that the subject is directly in. The
	// Ref of each edge is the object with the relation.
	Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error]

	// Nodes yields every object of a type that a tuple names, as object or as
	// subject, each once; the wildcard is not among them.
	Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error]
}
