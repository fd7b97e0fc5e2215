package state

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Open opens the state in a folder, or makes an empty one there. It builds the
// graph indexes and compares every store with its digest: ErrCorrupt where they
// differ, and then the node must not serve but fetch a snapshot. Applied says
// which entry to go on behind.
func Open(o Options) (*State, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HistoryBudget == 0 {
		o.HistoryBudget = DefaultHistoryBudget
	}
	if o.Retain == 0 {
		o.Retain = DefaultRetain
	}
	if o.Boot == "" {
		o.Boot = bootID()
	}
	dir, err := currentGeneration(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of the state: %w", err)
	}
	s := &State{options: o, log: o.Logger, pins: map[tuple.Revision]int{},
		dirty: make(chan struct{}, 1), done: make(chan struct{}), cleaned: make(chan struct{}),
		young: make(chan struct{}, 1), settled: make(chan struct{})}
	s.past.budget = o.HistoryBudget
	l, err := load(dir, o, s.log)
	if err != nil {
		return nil, err
	}
	s.feed = newFeed(s)
	s.adopt(l)
	go s.cleaner()
	go s.settler()
	go s.feed.run()
	return s, nil
}

// loaded is a folder's content, ready to be adopted.
type loaded struct {
	gen     *generation
	working working
	durable durable
	suspect uint64
}

// load opens a folder and reads what apply and readers keep in memory.
func load(dir string, o Options, log *slog.Logger) (*loaded, error) {
	g, err := openGeneration(dir, log)
	if err != nil {
		return nil, err
	}
	l := &loaded{gen: g}
	if err := guard(func() error { return l.read(o.Boot) }); err != nil {
		g.close()
		return nil, fmt.Errorf("the state in %s: %w", dir, err)
	}
	return l, nil
}

func (l *loaded) read(boot string) error {
	d, err := readDurable(l.gen.dir)
	if err != nil {
		return err
	}
	all := l.gen.db.NewTransactionAt(math.MaxUint64, false)
	last := lastRecord(all, math.MaxUint64)
	all.Discard()
	if d == (durable{}) && last == 0 { // a new folder: this boot wrote all that is in it
		d = durable{Boot: boot}
		if err := d.write(l.gen.dir); err != nil {
			return err
		}
	}
	l.durable = d
	var resume uint64
	resume, l.suspect = d.resume(boot, uint64(last))
	txn := l.gen.db.NewTransactionAt(resume, false)
	defer txn.Discard()
	return l.working.load(l.gen.db, txn, tuple.Revision(resume))
}

// load reads the state as it stood at a revision.
func (w *working) load(db *badger.DB, txn *badger.Txn, at tuple.Revision) error {
	*w = working{index: at, feature: 1, byName: map[string]*store{}, byID: map[storeID]*store{}}
	if at > 0 {
		r, ok, err := readRecord(txn, at)
		if err == nil && !ok {
			err = fmt.Errorf("%w: the record of the durable entry is missing", ErrCorrupt)
		}
		if err != nil {
			return err
		}
		w.term, w.time, w.floor, w.feature, w.base = r.Term, r.Time, r.Floor, r.Feature, r.Base
	}
	if err := w.loadCluster(txn); err != nil {
		return err
	}
	stores, err := loadStores(txn, at)
	if err != nil {
		return err
	}
	for _, st := range stores {
		w.byID[st.id] = st
		if st.deleted == 0 {
			w.byName[st.name] = st
		}
		if err := st.build(db, txn, at); err != nil {
			return fmt.Errorf("store %q: %w", st.name, err)
		}
	}
	if err := w.recountDefinitions(txn); err != nil {
		return err
	}
	w.nextID = nextStore(stores)
	w.memory, err = loadMemory(txn, at, w.floor)
	return err
}

// adopt makes what was loaded the state's own, and readable. It returns the
// generation that was there before, which the State no longer holds.
func (s *State) adopt(l *loaded) (old *generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.gen
	s.working = l.working
	s.gen, s.durable, s.suspect, s.discarded = l.gen, l.durable, l.suspect, 0
	s.head = head{revision: s.index, term: s.term, time: s.time, floor: s.floor, feature: s.feature,
		cluster: s.cluster, secret: s.secret, members: maps.Clone(s.members), tokens: maps.Clone(s.tokens),
		stores: maps.Clone(s.byName), all: maps.Clone(s.byID)}
	if s.head.members == nil {
		s.head.members = map[string]command.Member{}
	}
	s.unsettled = map[*graph.Index]struct{}{}
	s.retained.forget()
	s.discard()
	s.soil()
	s.wake()
	s.feed.move()
	return old
}

// Close makes everything durable and closes the files as soon as the last view
// is closed.
func (s *State) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return nil
	}
	close(s.done)
	<-s.cleaned
	<-s.settled
	<-s.feed.ended
	var err error
	if s.fault == nil {
		err = s.Persist()
	}
	s.mu.Lock()
	s.closed = true
	s.wake()
	s.mu.Unlock()
	s.feed.close()
	return errors.Join(err, s.release(s.gen))
}
