package state

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// View is one store as it stood at one revision, until Close. It is an
// engine.Reader: several goroutines may read it at once, and Close comes after
// all reading.
type View struct {
	reader
	s        *State
	st       *store
	gen      *generation
	revision tuple.Revision
	pinned   tuple.Revision // at or below revision: what is not removed meanwhile
	logTime  int64
	schema   tuple.Revision
	close    sync.Once
	closed   bool
}

// reader is the engine's Reader, which graph.View and history are.
type reader interface {
	Node(t tuple.TypeID, id string) (tuple.Node, error)
	Pair(a, b tuple.ObjectName) (tuple.Node, tuple.Node, error)
	Object(n tuple.Node) (tuple.TypeID, string, error)
	IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error)
	Type(n tuple.Node) (t tuple.TypeID, star bool, err error)
	Edge(object tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error)
	Row(object tuple.Node, into []tuple.Edge) (n int, whole bool, err error)
	Subjects(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)
	Usersets(object tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)
	Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)
	Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (n int, ok bool, err error)
	Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error)
	Close()
}

// View opens a view of a store at a revision; 0 is the newest. It must be
// closed. Errors: ErrStoreNotFound, a *RevisionError, ErrClosed.
func (s *State) View(name string, at tuple.Revision) (*View, error) {
	v, isHead, err := s.pin(name, at)
	if err != nil || isHead {
		return v, err
	}
	if err := v.look(); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// pin opens a view without reading the disk; isHead says whether it knows all of
// its revision.
func (s *State) pin(name string, at tuple.Revision) (v *View, isHead bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, false, ErrClosed
	case at == 0:
		at = s.head.revision
	case at > s.head.revision:
		return nil, false, s.revisionError(at, ErrAhead)
	case at < s.head.floor:
		return nil, false, s.revisionError(at, ErrHistoryGone)
	}
	st := s.storeAt(name, at)
	if st == nil {
		return nil, false, fmt.Errorf("%w: %q", ErrStoreNotFound, name)
	}
	v = &View{s: s, st: st, gen: s.gen, revision: at, pinned: at, logTime: s.head.time, schema: st.publishedSchema}
	if err := v.openReader(); err != nil {
		return nil, false, err
	}
	s.gen.refs++
	s.pins[at]++
	return v, at == s.head.revision, nil
}

// openReader takes the graph index where it still holds the revision. The caller
// holds mu.
func (v *View) openReader() error {
	if v.st.disk {
		v.reader = newDiskReader(v)
		return nil
	}
	if v.st.index != nil {
		g, err := v.st.index.View(v.revision)
		if err == nil {
			v.reader = g
			if v.revision < v.s.head.revision {
				g.Keep()
			}
			return nil
		}
		if !errors.Is(err, graph.ErrReclaimed) {
			return err
		}
	}
	h := &history{v: v}
	v.reader = h
	if v.st.index == nil {
		return nil
	}
	var err error
	h.head, err = v.st.index.View(v.s.head.revision)
	return err
}

func (s *State) revisionError(at tuple.Revision, err error) error {
	return &RevisionError{Revision: at, Floor: s.head.floor, Applied: s.head.revision, Err: err}
}

// storeAt finds the store that had a name at a revision. The caller holds mu.
func (s *State) storeAt(name string, at tuple.Revision) *store {
	if st := s.head.stores[name]; st != nil && st.existsAt(at) {
		return st
	}
	if at == s.head.revision {
		return nil
	}
	for _, st := range s.head.all {
		if st.name == name && st.existsAt(at) {
			return st
		}
	}
	return nil
}

// look reads what the head knows by heart: log time and schema of the revision.
func (v *View) look() error {
	txn := v.txn()
	defer txn.Discard()
	var err error
	if v.schema, err = lastRevision(txn, prefixSchema, v.st.id, v.revision); err != nil {
		return err
	}
	v.logTime, err = recordTime(txn, lastRecord(txn, v.revision))
	return err
}

func (v *View) txn() *badger.Txn { return v.gen.db.NewTransactionAt(uint64(v.revision), false) }

// Revision returns the revision of the view.
func (v *View) Revision() tuple.Revision { return v.revision }

// LogTime returns the log time of the revision: the instant that expiry is
// judged at unless a request names another.
func (v *View) LogTime() time.Time { return time.Unix(0, v.logTime).UTC() }

// Store returns the store's number.
func (v *View) Store() uint32 { return uint32(v.st.id) }

// SchemaRevision returns the revision that wrote the schema in force; 0 where
// there is none yet.
func (v *View) SchemaRevision() tuple.Revision { return v.schema }

// Numbering returns the store's numbers of names, for compiling schemas that are
// not the store's own (yet). Names that no schema of the store had are 0.
func (v *View) Numbering() schema.Numbering { return v.st.names }

// StoredSchema returns the schema in force as it was written; nil where there is
// none yet.
func (v *View) StoredSchema() (*StoredSchema, error) {
	if v.closed {
		return nil, ErrClosed
	}
	txn := v.txn()
	defer txn.Discard()
	return readSchema(txn, v.st.id, v.revision)
}

// Module returns the schema in force, compiled and numbered by the store's own
// numbers; nil where there is none yet. It may be shared. An error says that
// this build cannot compile what the cluster has accepted.
func (v *View) Module() (*schema.Module, error) {
	if v.closed {
		return nil, ErrClosed
	}
	if v.schema == 0 {
		return nil, nil
	}
	return v.st.compiled.get(v.schema, func() (*schema.Module, error) {
		stored, err := v.StoredSchema()
		if err != nil {
			return nil, err
		}
		return schema.Compile(stored.Command.Files, v.st.names)
	})
}

// Schema returns the schema in force, compiled; nil where there is none yet.
func (v *View) Schema() (*schema.Schema, error) {
	m, err := v.Module()
	if m == nil || err != nil {
		return nil, err
	}
	return m.Schema, nil
}

// Keep is for a revision that is going to be asked for again, as by the cursor of a
// page: the graph index holds it for as long as it holds any, Options.Retain,
// however much is written meanwhile.
func (v *View) Keep() {
	if g, ok := v.reader.(*graph.View); ok {
		g.Keep()
	}
}

// Ahead makes the view an engine.Forerunner where its graph is one.
func (v *View) Ahead(objects, subjects []tuple.ObjectName) {
	if g, ok := v.reader.(*graph.View); ok {
		g.Ahead(objects, subjects)
	}
}

// Close lets go of the revision. The view may not be used afterwards; a second
// Close does nothing.
func (v *View) Close() {
	v.close.Do(func() {
		v.closed = true
		v.reader.Close()
		v.s.release(v.gen, v.pinned)
	})
}

// unpin lets go of a revision. The caller holds mu.
func (s *State) unpin(rev tuple.Revision) {
	if s.pins[rev]--; s.pins[rev] == 0 {
		delete(s.pins, rev)
	}
}

// compiled holds the newest few compiled schemas of a store.
type compiled struct {
	last atomic.Pointer[compiledModule] // that was asked for

	mu      sync.Mutex // guards modules; held while one is compiled, so that it is compiled once
	modules []compiledModule
}

type compiledModule struct {
	revision tuple.Revision
	module   *schema.Module
}

// compiledKept is how many compiled schemas of a store are kept.
const compiledKept = 4

func (c *compiled) get(rev tuple.Revision, compile func() (*schema.Module, error)) (*schema.Module, error) {
	if m := c.last.Load(); m != nil && m.revision == rev {
		return m.module, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.modules {
		if m.revision == rev {
			c.last.Store(&m)
			return m.module, nil
		}
	}
	m, err := compile()
	if err != nil {
		return nil, err
	}
	if len(c.modules) == compiledKept {
		c.modules = append(c.modules[:0], c.modules[1:]...)
	}
	c.modules = append(c.modules, compiledModule{rev, m})
	return m, nil
}
