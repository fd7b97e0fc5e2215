package engine

import "github.com/pemba-authz/pemba/schema/tuple"

// TreeKind tells the nodes of an expanded tree apart.
type TreeKind string

// The kinds of a tree's nodes.
const (
	TreeUserset      TreeKind = "userset"      // object#relation; its child is what it is made of
	TreeTuples       TreeKind = "tuples"       // the relation's own tuples; its children are the usersets among them
	TreeUnion        TreeKind = "union"        // any of the children
	TreeIntersection TreeKind = "intersection" // all of the children
	TreeExclusion    TreeKind = "exclusion"    // the first child except the second
	TreeArrow        TreeKind = "arrow"        // any of the children, each behind a tuple
	TreeEvery        TreeKind = "every"        // all of the children, and at least one, each behind a tuple
	TreeSealed       TreeKind = "sealed"       // the subjects that the schema fixes
	TreeSelf         TreeKind = "self"         // the object itself
	TreeNobody       TreeKind = "nobody"
)

// Tree is the userset tree of one object#relation, as in section 2.4.5 of the
// Zanzibar paper: nodes combine, leaves name subjects. Each object#relation is
// opened once; where it comes again, in a cycle or beside, the node says Back.
type Tree struct {
	Kind     TreeKind
	Object   tuple.Object // TreeUserset: what is opened; TreeSelf: who is meant
	Relation string       // TreeUserset
	Via      *Leaf        // the tuple that leads to this node, where one does
	Back     bool         // TreeUserset: opened elsewhere in the tree
	Cut      bool         // TreeUserset: below the depth that was asked for
	// Actors says who holds this name only by acting for an owner who holds it:
	// for these types the rest of the node means nothing.
	Actors   []Actor
	Leaves   []Leaf // TreeTuples, TreeSealed: the subjects, usersets included
	Children []*Tree
}

// Leaf is a tuple with what its condition says of it by itself.
type Leaf struct {
	Tuple  tuple.Tuple
	Answer Answer // Denied where the condition is false
}

// Actor is a type whose objects act for their owners.
type Actor struct {
	Type  string
	Owner string // the relation that leads to the owners; "" where they may not act so
}
