package state

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// history reads a revision that the graph index no longer holds. When it is first
// asked, it undoes the entries since, or builds an index of the revision from
// Badger, whichever reads less.
type history struct {
	v    *View
	head *graph.View // the newest revision when the view was opened; nil where the store is gone
	once sync.Once   // guards the making of way and err
	made atomic.Bool // they are made
	way  reader
	err  error
}

func (h *history) open() (reader, error) {
	h.once.Do(func() {
		h.way, h.err = h.choose()
		h.made.Store(true)
	})
	return h.way, h.err
}

// Distant says whether the first read of a node or an edge will have to find a way
// back to the revision, which may take seconds. Approach does it beforehand.
func (v *View) Distant() bool {
	h, ok := v.reader.(*history)
	return ok && !h.made.Load()
}

// Approach makes a distant view ready to be read. Errors: those of reading.
func (v *View) Approach() error {
	if h, ok := v.reader.(*history); ok {
		_, err := h.open()
		return err
	}
	return nil
}

// choose finds the cheaper way to read the revision.
func (h *history) choose() (reader, error) {
	v := h.v
	txn := v.txn()
	kept, err := loadStats(txn, v.st.id, v.revision)
	txn.Discard()
	if err != nil {
		return nil, err
	}
	past := &v.s.past
	if g := past.find(v); g != nil {
		return g, nil
	}
	most := past.budget
	if kept.Live <= uint64(past.budget) {
		most = int(kept.Live)
	}
	if h.head != nil {
		u, err := undo(v, h.head, most)
		if err == nil {
			h.head = nil // closed with u
			return u, nil
		}
		if !errors.Is(err, errTooFar) {
			return nil, err
		}
	}
	if kept.Live > uint64(past.budget) {
		return nil, fmt.Errorf("%w: it holds %d tuples, and %d are read at most", ErrHistoryBudget, kept.Live, past.budget)
	}
	return past.view(v, kept)
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

// find returns a view of an index that is there; nil where there is none.
func (p *past) find(v *View) reader {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.indexes {
		if i.store == v.st && i.revision == v.revision {
			if g, err := i.index.View(v.revision); err == nil {
				return g
			}
		}
	}
	return nil
}

// view builds an index, and checks it against what apply has counted.
func (p *past) view(v *View, kept *stats) (reader, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	txn := v.txn()
	defer txn.Discard()
	index, err := buildIndex(v.gen.db, txn, v.st.id, v.revision, kept)
	if err != nil {
		return nil, err
	}
	if len(p.indexes) == pastKept {
		p.indexes = slices.Delete(p.indexes, 0, 1)
	}
	p.indexes = append(p.indexes, pastIndex{v.st, v.revision, index})
	return index.View(v.revision)
}

// Node is engine.Reader's.
func (h *history) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	g, err := h.open()
	if err != nil {
		return 0, err
	}
	return g.Node(t, id)
}

// Pair is engine.Reader's.
func (h *history) Pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, err = h.Node(a.Type, a.ID); err == nil {
		m, err = h.Node(b.Type, b.ID)
	}
	return n, m, err
}

// Closure is engine.Reader's.
func (h *history) Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (int, bool, error) {
	g, err := h.open()
	if err != nil {
		return 0, false, err
	}
	return g.Closure(subject, relation, into)
}

// Object is engine.Reader's.
func (h *history) Object(n tuple.Node) (tuple.TypeID, string, error) {
	g, err := h.open()
	if err != nil {
		return 0, "", err
	}
	return g.Object(n)
}

// IDs is engine.Reader's.
func (h *history) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	g, err := h.open()
	if err != nil {
		return text, err
	}
	return g.IDs(nodes, text, ends)
}

// Type is engine.Reader's.
func (h *history) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	g, err := h.open()
	if err != nil {
		return 0, false, err
	}
	return g.Type(n)
}

// Edge is engine.Reader's.
func (h *history) Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	g, err := h.open()
	if err != nil {
		return tuple.Edge{}, false, err
	}
	return g.Edge(object, relation, subject)
}

// Row is engine.Reader's.
func (h *history) Row(object tuple.Node, into []tuple.Edge) (int, bool, error) {
	g, err := h.open()
	if err != nil {
		return 0, false, err
	}
	return g.Row(object, into)
}

// Subjects is engine.Reader's.
func (h *history) Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, err := h.open()
	if err != nil {
		return 0, 0, err
	}
	return g.Subjects(object, relation, from, into)
}

// Usersets is engine.Reader's.
func (h *history) Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, err := h.open()
	if err != nil {
		return 0, 0, err
	}
	return g.Usersets(object, relation, from, into)
}

// Objects is engine.Reader's.
func (h *history) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	g, err := h.open()
	if err != nil {
		return 0, 0, err
	}
	return g.Objects(subject, relation, from, into)
}

// Nodes is engine.Reader's.
func (h *history) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
	g, err := h.open()
	if err != nil {
		return 0, 0, err
	}
	return g.Nodes(t, from, into)
}

// Close lets go of what it reads from.
func (h *history) Close() {
	h.once.Do(func() {})
	if h.way != nil {
		h.way.Close()
	}
	if h.head != nil {
		h.head.Close()
	}
	h.way, h.head, h.err = nil, nil, ErrClosed
}
