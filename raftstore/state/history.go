package state

import (
	"fmt"
	"iter"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// history reads a revision that the graph index no longer holds: it builds an
// index of that revision from Badger, once, when it is first asked.
type history struct {
	v      *View
	budget int
	graph  *graph.View
	err    error
}

func newHistory(v *View, budget int) *history { return &history{v: v, budget: budget} }

func (h *history) open() (*graph.View, error) {
	if h.graph == nil && h.err == nil {
		h.graph, h.err = h.build()
	}
	return h.graph, h.err
}

func (h *history) build() (*graph.View, error) {
	txn := h.v.txn()
	defer txn.Discard()
	kept, err := loadStats(txn, h.v.st.id, h.v.revision)
	if err != nil {
		return nil, err
	}
	if kept.Live > uint64(h.budget) {
		return nil, fmt.Errorf("%w: it holds %d tuples, and %d are read at most", ErrHistoryBudget, kept.Live, h.budget)
	}
	index := graph.New()
	found, err := recount(txn, h.v.st.id, func(rows []graph.Tuple) error { return index.Load(h.v.revision, rows) })
	if err != nil {
		return nil, err
	}
	if err := found.compare(kept); err != nil {
		return nil, err
	}
	return index.View(h.v.revision)
}

// Node is engine.Reader's.
func (h *history) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	g, err := h.open()
	if err != nil {
		return 0, err
	}
	return g.Node(t, id)
}

// Object is engine.Reader's.
func (h *history) Object(n tuple.Node) (tuple.TypeID, string, error) {
	g, err := h.open()
	if err != nil {
		return 0, "", err
	}
	return g.Object(n)
}

// Edge is engine.Reader's.
func (h *history) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	g, err := h.open()
	if err != nil {
		return tuple.Edge{}, false, err
	}
	return g.Edge(object, relation, subject)
}

// Subjects is engine.Reader's.
func (h *history) Subjects(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return reads(h, func(g *graph.View) iter.Seq2[tuple.Edge, error] { return g.Subjects(object, relation) })
}

// Usersets is engine.Reader's.
func (h *history) Usersets(object tuple.Node, relation tuple.RelationID) iter.Seq2[tuple.Edge, error] {
	return reads(h, func(g *graph.View) iter.Seq2[tuple.Edge, error] { return g.Usersets(object, relation) })
}

// Objects is engine.Reader's.
func (h *history) Objects(subject tuple.Ref) iter.Seq2[tuple.Edge, error] {
	return reads(h, func(g *graph.View) iter.Seq2[tuple.Edge, error] { return g.Objects(subject) })
}

// Nodes is engine.Reader's.
func (h *history) Nodes(t tuple.TypeID) iter.Seq2[tuple.Node, error] {
	return reads(h, func(g *graph.View) iter.Seq2[tuple.Node, error] { return g.Nodes(t) })
}

func reads[T any](h *history, read func(*graph.View) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		g, err := h.open()
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		read(g)(yield)
	}
}

// Close lets go of the index.
func (h *history) Close() {
	if h.graph != nil {
		h.graph.Close()
	}
	h.graph, h.err = nil, ErrClosed
}
