package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// ErrStoreDeleted: the store that is watched was deleted, and all of it was given.
var ErrStoreDeleted = errors.New("the store was deleted")

// Watch gives what entries do to one store: every entry once, in order, each
// whole. It holds no history and keeps nobody waiting; whoever reads too slowly
// reads from disk, and once the floor has passed, learns that with ErrHistoryGone.
// One goroutine at a time uses it, and closes it.
type Watch struct {
	s      *State
	store  storeID
	filter tuple.Filter
	wake   chan struct{} // there is something, or the state closes

	ready   []*Effects     // read and not given yet
	given   tuple.Revision // of the last of them that was given
	deleted bool

	// Guarded by feed.mu.
	at   tuple.Revision // everything up to here was given or is in ready
	idle bool           // it waits for what it wants; everything up to feed.at was none of it
}

// Watch watches the store of a name from behind a revision on. Changes that the
// filter does not select are left out; a schema's, a store's creation and its
// deletion are always given. It is the store that had the name at the revision,
// or, where none had, the one that has it now. Errors: ErrStoreNotFound,
// a *RevisionError, ErrClosed.
func (s *State) Watch(name string, after tuple.Revision, filter tuple.Filter) (*Watch, error) {
	s.mu.RLock()
	var err error
	st := s.head.stores[name]
	switch {
	case s.closed:
		err = ErrClosed
	case after > s.head.revision:
		err = s.revisionError(after, ErrAhead)
	case after < s.head.floor:
		err = s.revisionError(after, ErrHistoryGone)
	default:
		if before := s.storeAt(name, after); before != nil {
			st = before
		}
		if st == nil {
			err = fmt.Errorf("%w: %q", ErrStoreNotFound, name)
		}
	}
	s.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	w := &Watch{s: s, store: st.id, filter: filter, wake: make(chan struct{}, 1), given: after, at: after}
	return w, s.feed.attach(w)
}

// Store returns the number of the store that is watched.
func (w *Watch) Store() uint32 { return uint32(w.store) }

// Close ends the watch.
func (w *Watch) Close() { w.s.feed.detach(w) }

// Next returns what the next entry did that the watch is about. ok is false where
// there was none within wait: nothing up to Position is missing then. Errors: the
// context's, ErrHistoryGone where the floor has passed the reader,
// ErrStoreDeleted, ErrClosed. After an error the watch gives nothing more.
func (w *Watch) Next(ctx context.Context, wait time.Duration) (e *Effects, ok bool, err error) {
	if len(w.ready) > 0 {
		return w.give(), true, nil
	}
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		if w.deleted {
			return nil, false, ErrStoreDeleted
		}
		idle, err := w.take()
		if err == nil && !idle && len(w.ready) == 0 {
			err = w.read(ctx)
		}
		if err != nil {
			return nil, false, err
		}
		if len(w.ready) > 0 {
			return w.give(), true, nil
		}
		wake := w.wake
		if !idle { // there is more to read, if anybody still waits for it
			wake = alreadyAwake
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-deadline.C:
			w.rest()
			return nil, false, nil
		case <-wake:
		}
	}
}

// alreadyAwake is a wake that has come.
var alreadyAwake = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// give takes the first of what is ready.
func (w *Watch) give() (e *Effects) {
	e, w.ready = w.ready[0], w.ready[1:]
	w.given, w.deleted = e.Revision, e.Deleted
	return e
}

// Pending says whether Next has something without waiting.
func (w *Watch) Pending() bool { return len(w.ready) > 0 }

// Position is the revision up to which everything was given: a watch from behind
// it misses nothing and repeats nothing.
func (w *Watch) Position() tuple.Revision { return w.given }

// take takes what the feed has; idle says that this is all there is, and that
// the feed will wake the watch. Neither idle nor ready: it is on disk.
func (w *Watch) take() (idle bool, err error) {
	f := w.s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false, ErrClosed
	}
	sf := f.stores[w.store]
	if w.at < sf.from {
		return false, nil
	}
	for _, e := range sf.recent {
		if e.Revision > w.at {
			w.keep(e)
		}
	}
	w.at = max(w.at, f.at)
	w.idle = len(w.ready) == 0
	return w.idle, nil
}

// rest notes how far an idle watch has come.
func (w *Watch) rest() {
	f := w.s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if w.idle {
		w.at, w.idle = max(w.at, f.at), false
	}
	w.given = w.at
}

// read reads the next records from disk. Few watches do so at a time, and the
// history is held only meanwhile.
func (w *Watch) read(ctx context.Context) error {
	f := w.s.feed
	select {
	case f.reading <- struct{}{}:
		defer func() { <-f.reading }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	st := w.s.storeOf(w.store)
	if st == nil { // it was deleted, and the floor has passed that
		return &RevisionError{Revision: w.at, Err: ErrHistoryGone}
	}
	records, changes := 0, 0
	to, err := w.s.records(w.at, func(rev tuple.Revision, r record) error {
		e, any, err := st.effects(rev, r)
		if err != nil {
			return err
		}
		if any {
			changes += w.keep(&e)
		}
		if records++; records == watchRecords || changes >= watchChanges || e.Deleted {
			return errStop
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	w.at = to
	return nil
}

// keep makes an entry's effects ready, as far as the watch is about them, and
// says how many changes these are.
func (w *Watch) keep(e *Effects) int {
	if !e.concern(w.filter) {
		return 0
	}
	if !w.filter.IsZero() {
		selected := *e
		selected.Changes = nil
		for _, c := range e.Changes {
			if w.filter.Matches(c.Tuple.Key) {
				selected.Changes = append(selected.Changes, c)
			}
		}
		e = &selected
	}
	w.ready = append(w.ready, e)
	return len(e.Changes)
}

// concern says whether a watch with a filter is about the effects.
func (e *Effects) concern(f tuple.Filter) bool {
	if f.IsZero() || e.Created || e.Deleted || e.Schema {
		return true
	}
	for _, c := range e.Changes {
		if f.Matches(c.Tuple.Key) {
			return true
		}
	}
	return false
}

// signal wakes the watch.
func (w *Watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
