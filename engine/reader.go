package engine

import "github.com/pemba-authz/pemba/schema/tuple"

// Reader is all that the engine reads: the tuples of one store as they stand at
// one revision, as a graph by number. Expired edges may still be in it: the
// engine drops them by its request's instant. Several goroutines may use a
// Reader at once, and a node's number is the same to all of them.
//
// Lists are read in chunks: a method fills into from the front with what comes
// after a cursor (0: from the beginning) and returns how many that are, and the
// cursor of what comes next (0: nothing does). It returns at the latest when into
// is full, and may before, even with none; into has room for one at least. A
// cursor that is not used any more costs nothing, so a list need not be read to
// its end. What is in a list, and that each is in it once, does not depend on
// the sizes of the chunks; its order is the reader's.
//
// Every method's error ends the request as an error: it is never an answer.
type Reader interface {
	// Node returns the number of an object, or 0 when no tuple here names it.
	// The id "*" is the wildcard subject of the type.
	Node(t tuple.TypeID, id string) (tuple.Node, error)

	// Pair is Node for two objects, which may cost less than twice: what it reads of
	// both it can wait for at once.
	Pair(a, b tuple.ObjectName) (tuple.Node, tuple.Node, error)

	// Object returns the type and id of a node that this reader gave.
	Object(n tuple.Node) (tuple.TypeID, string, error)

	// IDs appends the ids of nodes that this reader gave to text, one behind the
	// other, and sets ends[i] to where that of nodes[i] ends. It is Object for many,
	// which may cost less: what it reads of all it can wait for at once.
	IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error)

	// Type returns the type of a node that this reader gave, and whether it is
	// the wildcard. It is Object without the cost of the text.
	Type(n tuple.Node) (t tuple.TypeID, star bool, err error)

	// Edge is the membership test: the tuple object#relation@subject, if there is one.
	Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error)

	// Row reads all tuples of an object, of every relation, if there are at most as
	// many as into has room for: Edge.Relation tells them apart, the Ref of each is
	// the subject. Where there may be more, whole is false, and what was read of no
	// use: the reader finds that out without reading them all.
	Row(object tuple.Node, into []tuple.Edge) (n int, whole bool, err error)

	// Subjects lists the direct subjects of object#relation, of every kind.
	// The Ref of each edge is the subject.
	Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error)

	// Usersets lists those direct subjects of object#relation that are usersets,
	// without walking the others.
	Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error)

	// Objects lists every object#relation that the subject is directly in; with
	// relation 0, of whatever relation. The Ref of each edge is the object with
	// the relation. Reading one relation does not cost what the others hold.
	Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (n int, next tuple.Cursor, err error)

	// Closure goes upwards by one relation alone, from a member to its groups and to
	// the groups that these are in: it lists the objects whose relation names the
	// subject, those whose relation names object#relation of one of these, and so on,
	// each once. It may decline (ok is false, and what is in into of no use), as it
	// must where they do not fit, or where a tuple on the way has a condition or an
	// expiry; Objects tells then.
	Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (n int, ok bool, err error)

	// Nodes lists every object of a type that a tuple names, as object or as
	// subject, each once; the wildcard is not among them.
	Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (n int, next tuple.Cursor, err error)
}

// Forerunner is a Reader that can be told what will be asked about before it is:
// it has the beginnings of many walks brought into the processor's cache at once,
// where each walk by itself would wait for them one after the other. Nothing
// depends on it but the time that answers take.
type Forerunner interface {
	Ahead(objects, subjects []tuple.ObjectName)
}
