package state

import (
	"sync"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// feed hands what entries do to those who watch. One goroutine reads each
// entry's record once, whatever the number of watches, and wakes only those that
// the entry is about. Apply does no more than say that there is something.
type feed struct {
	s       *State
	moved   chan struct{} // the head may have moved
	ended   chan struct{} // closed when the goroutine has ended
	reading chan struct{} // holds one element per watch that reads old records

	mu     sync.Mutex // guards what follows, and in each Watch what it says; taken before State.mu
	at     tuple.Revision
	stores map[storeID]*storeFeed
	closed bool
}

// storeFeed is what the feed knows of a store that is watched.
type storeFeed struct {
	from    tuple.Revision // recent is all that happened after it, up to feed.at
	recent  []*Effects
	changes int // in recent
	watches map[tuple.Filter]map[*Watch]struct{}
}

const (
	feedRecords  = 512  // most records that are read before they are handed out
	feedChanges  = 1024 // most changes of a store that are kept in memory, the last entry's aside
	feedEffects  = 256  // most entries of a store that are kept in memory
	watchRecords = 4096 // most records that a watch reads at a time
	watchChanges = 1024 // most changes that a watch reads at a time, the last entry's aside
	watchReaders = 4    // most watches that read at a time
)

func newFeed(s *State) *feed {
	return &feed{s: s, moved: make(chan struct{}, 1), ended: make(chan struct{}), reading: make(chan struct{}, watchReaders),
		stores: map[storeID]*storeFeed{}}
}

// move says that the head may have moved. It never waits.
func (f *feed) move() {
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// run hands out until the state closes.
func (f *feed) run() {
	defer close(f.ended)
	for {
		select {
		case <-f.s.done:
			return
		case <-f.moved:
		}
		for more := true; more; {
			var err error
			if more, err = f.step(); err != nil {
				f.s.log.Error("reading what entries did, for watches", "error", err)
				f.skip()
				more = false
			}
		}
	}
}

// entryRecord is an entry's record with its revision.
type entryRecord struct {
	revision tuple.Revision
	record   record
}

// step hands out some of what is new; more says that there may be more.
func (f *feed) step() (more bool, err error) {
	f.mu.Lock()
	from, watched := f.at, len(f.stores) > 0
	f.mu.Unlock()
	if !watched {
		return false, nil
	}
	var entries []entryRecord
	to, err := f.s.records(from, func(rev tuple.Revision, r record) error {
		entries = append(entries, entryRecord{rev, r})
		if len(entries) == feedRecords {
			return errStop
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		if err := f.hand(e); err != nil {
			return false, err
		}
	}
	f.at = to
	return len(entries) == feedRecords, nil
}

// hand gives an entry to the stores that it touched. The caller holds mu.
func (f *feed) hand(e entryRecord) error {
	touched := map[storeID]bool{}
	for _, ev := range e.record.Events {
		touched[ev.Store] = true
	}
	for _, ef := range e.record.Effects {
		touched[ef.Store] = true
	}
	for id := range touched {
		sf := f.stores[id]
		if sf == nil {
			continue
		}
		st := f.s.storeOf(id)
		if st == nil {
			continue // forgotten meanwhile; its watches find out by themselves
		}
		effects, any, err := st.effects(e.revision, e.record)
		if err != nil {
			return err
		}
		if any {
			sf.add(&effects)
		}
	}
	return nil
}

// add keeps an entry's effects and wakes the watches that they are about.
func (sf *storeFeed) add(e *Effects) {
	sf.recent = append(sf.recent, e)
	sf.changes += len(e.Changes)
	for len(sf.recent) > 1 && (sf.changes > feedChanges || len(sf.recent) > feedEffects) {
		oldest := sf.recent[0]
		sf.from, sf.changes = oldest.Revision, sf.changes-len(oldest.Changes)
		sf.recent[0] = nil
		sf.recent = sf.recent[1:]
	}
	for filter, watches := range sf.watches {
		if !e.concern(filter) {
			continue
		}
		for w := range watches {
			if w.idle && e.Revision > w.at {
				w.at, w.idle = e.Revision-1, false
				w.signal()
			}
		}
	}
}

// skip goes on behind the head, where records could not be read: every watch
// reads by itself what it has not got, and meets the fault.
func (f *feed) skip() {
	head := f.s.AppliedRevision()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sf := range f.stores {
		sf.recent, sf.changes, sf.from = nil, 0, head
		sf.each(func(w *Watch) {
			if w.idle {
				w.at, w.idle = max(w.at, f.at), false
				w.signal()
			}
		})
	}
	f.at = head
}

// attach makes a watch known.
func (f *feed) attach(w *Watch) error {
	head := f.s.AppliedRevision()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	if len(f.stores) == 0 { // the feed has rested
		f.at = max(f.at, head)
	}
	sf := f.stores[w.store]
	if sf == nil {
		sf = &storeFeed{from: f.at, watches: map[tuple.Filter]map[*Watch]struct{}{}}
		f.stores[w.store] = sf
	}
	if sf.watches[w.filter] == nil {
		sf.watches[w.filter] = map[*Watch]struct{}{}
	}
	sf.watches[w.filter][w] = struct{}{}
	return nil
}

// detach forgets a watch.
func (f *feed) detach(w *Watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sf := f.stores[w.store]
	if sf == nil {
		return
	}
	if delete(sf.watches[w.filter], w); len(sf.watches[w.filter]) == 0 {
		delete(sf.watches, w.filter)
	}
	if len(sf.watches) == 0 {
		delete(f.stores, w.store)
	}
}

// close ends every watch.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, sf := range f.stores {
		sf.each((*Watch).signal)
	}
}

// each visits the watches of a store. The caller holds feed.mu.
func (sf *storeFeed) each(visit func(*Watch)) {
	for _, watches := range sf.watches {
		for w := range watches {
			visit(w)
		}
	}
}

// storeOf finds a store by number, deleted ones included; nil where nothing is
// left of it.
func (s *State) storeOf(id storeID) *store {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head.all[id]
}

// records calls visit with the records of the entries after a revision, in order
// and up to the newest one, and returns up to where it read. History is held
// only meanwhile. A visit that returns errStop ends it.
func (s *State) records(after tuple.Revision, visit func(tuple.Revision, record) error) (to tuple.Revision, err error) {
	s.mu.Lock()
	switch {
	case s.closed:
		err = ErrClosed
	case after < s.head.floor:
		err = s.revisionError(after, ErrHistoryGone)
	case after > s.head.revision:
		err = s.revisionError(after, ErrAhead)
	}
	if err != nil {
		s.mu.Unlock()
		return after, err
	}
	g, head := s.gen, s.head.revision
	g.refs++
	s.pins[after]++
	s.mu.Unlock()
	defer s.release(g, after)
	txn := g.db.NewTransactionAt(uint64(head), false)
	defer txn.Discard()
	to = after
	err = eachRecord(txn, after+1, head, func(rev tuple.Revision, r record) error {
		to = rev
		return visit(rev, r)
	})
	switch err {
	case nil:
		return head, nil
	case errStop:
		return to, nil
	}
	return after, err
}
