package state

import (
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// history reads a revision that the graph index no longer holds: it takes an
// index of that revision, built from Badger when it is first asked.
type history struct {
	v     *View
	graph *graph.View
	err   error
}

func (h *history) open() (*graph.View, error) {
	if h.graph == nil && h.err == nil {
		h.graph, h.err = h.v.s.past.view(h.v)
	}
	return h.graph, h.err
}

// past holds the indexes of a few past revisions, so that the pages of a lookup
// do not build one each. Building takes memory and a core: one at a time.
type past struct {
	budget int // most tuples of an index

	mu      sync.Mutex // guards indexes; held while one is built
	indexes []pastIndex
}

type pastIndex struct {
	store    *store
	revision tuple.Revision
	index    *graph.Index
}

// pastKept is how many indexes of past revisions are kept.
const pastKept = 2

func (p *past) view(v *View) (*graph.View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.indexes {
		if i.store == v.st && i.revision == v.revision {
			return i.index.View(v.revision)
		}
	}
	index, err := p.build(v)
	if err != nil {
		return nil, err
	}
	if len(p.indexes) == pastKept {
		p.indexes = slices.Delete(p.indexes, 0, 1)
	}
	p.indexes = append(p.indexes, pastIndex{v.st, v.revision, index})
	return index.View(v.revision)
}

func (p *past) build(v *View) (*graph.Index, error) {
	txn := v.txn()
	defer txn.Discard()
	kept, err := loadStats(txn, v.st.id, v.revision)
	if err != nil {
		return nil, err
	}
	if kept.Live > uint64(p.budget) {
		return nil, fmt.Errorf("%w: it holds %d tuples, and %d are read at most", ErrHistoryBudget, kept.Live, p.budget)
	}
	index := graph.New()
	found, err := recount(txn, v.st.id, func(rows []graph.Tuple) error { return index.Load(v.revision, rows) })
	if err != nil {
		return nil, err
	}
	return index, found.compare(kept)
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
