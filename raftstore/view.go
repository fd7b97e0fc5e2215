package raftstore

import (
	"iter"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is one store at one revision, pinned until Close. It is used by one
// goroutine, and it is an engine.Reader.
type View struct{}

// Revision returns the revision that the view is at.
func (v *View) Revision() tuple.Revision { return 0 }

// LogTime returns the log time of the revision.
func (v *View) LogTime() time.Time { return time.Time{} }

// Schema returns the schema in force at the revision; nil when there is none yet.
func (v *View) Schema() *schema.Schema { return nil }

// SchemaRevision returns the revision that wrote the schema; 0 when there is none.
func (v *View) SchemaRevision() tuple.Revision { return 0 }

// Close lets go of the revision. The view may not be used afterwards.
func (v *View) Close() {}

// Tuples yields the tuples that the filter selects in key order, behind after
// (nil: from the first). An error ends it.
func (v *View) Tuples(filter tuple.Filter, after *tuple.Key) iter.Seq2[tuple.Tuple, error] {
	return func(yield func(tuple.Tuple, error) bool) { yield(tuple.Tuple{}, ErrNotReady) }
}

// Node is engine.Reader's.
func (v *View) Node(t tuple.TypeID, id string) (tuple.Node, error) { return 0, ErrNotReady }

// Object is engine.Reader's.
func (v *View) Object(n tuple.Node) (tuple.TypeID, string, error) { return 0, "", ErrNotReady }

// Edge is engine.Reader's.
func (v *View) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	return tuple.Edge{}, false, ErrNotReady
}

// Subjects is engine.Reader's.
func (v *View) Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) { yield(tuple.Edge{}, ErrNotReady) }
}

// Usersets is engine.Reader's.
func (v *View) Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) { yield(tuple.Edge{}, ErrNotReady) }
}

// Objects is engine.Reader's.
func (v *View) Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error] {
	return func(yield func(tuple.Edge, error) bool) { yield(tuple.Edge{}, ErrNotReady) }
}

// Nodes is engine.Reader's.
func (v *View) Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error] {
	return func(yield func(tuple.Node, error) bool) { yield(0, ErrNotReady) }
}
