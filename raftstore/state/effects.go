package state

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Effects is what one entry did to one store.
type Effects struct {
	Revision tuple.Revision
	LogTime  time.Time
	Created  bool // the store was created
	Deleted  bool // the store was deleted, with all that was in it: Changes does not list that
	Schema   bool // its schema was written
	Changes  []Change
}

// Change is what an entry did to one tuple, over all of its commands.
type Change struct {
	Before     *tuple.Tuple // nil: it was absent
	After      *tuple.Tuple // nil: it is absent
	Quarantine bool         // it is about a quarantined tuple: it left or entered quarantine
}

// Effects yields what the entries after a revision did to a store, in order, up
// to the newest revision there is at the call. Entries that did nothing to the
// store are left out. An error is the last: ErrHistoryGone where the floor is
// above, ErrStoreNotFound.
func (s *State) Effects(name string, after tuple.Revision) iter.Seq2[Effects, error] {
	return func(yield func(Effects, error) bool) {
		v, err := s.effectsView(name, after)
		if err != nil {
			yield(Effects{}, err)
			return
		}
		defer v.Close()
		txn := v.txn()
		defer txn.Discard()
		err = eachRecord(txn, after+1, v.revision, func(rev tuple.Revision, r record) error {
			e, any, err := v.st.effects(rev, r)
			if err == nil && any && !yield(e, nil) {
				return errStop
			}
			return err
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(Effects{}, err)
		}
	}
}

// effectsView pins the newest revision of a store, and checks that the entries
// after a revision are all there.
func (s *State) effectsView(name string, after tuple.Revision) (*View, error) {
	v, err := s.View(name, 0)
	if err != nil {
		return nil, err
	}
	if err := v.pinFrom(after); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// pinFrom makes the view hold the entries' records from an older revision on.
func (v *View) pinFrom(after tuple.Revision) error {
	s := v.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if after < s.head.floor {
		return s.revisionError(after, ErrHistoryGone)
	}
	if after > v.revision {
		return s.revisionError(after, ErrAhead)
	}
	s.unpin(v.pinned)
	v.pinned = after
	s.pins[after]++
	return nil
}

func (st *store) effects(rev tuple.Revision, r record) (e Effects, any bool, err error) {
	e = Effects{Revision: rev, LogTime: time.Unix(0, r.Time).UTC()}
	for _, ev := range r.Events {
		if ev.Store != st.id {
			continue
		}
		any = true
		switch ev.Kind {
		case eventStoreCreated:
			e.Created = true
		case eventStoreDeleted:
			e.Deleted = true
		case eventSchema:
			e.Schema = true
		}
	}
	for _, f := range r.Effects {
		if f.Store != st.id {
			continue
		}
		c := Change{Quarantine: f.Kind == prefixQuarantine}
		if c.Before, err = st.side(f.Had, f.Row, f.Old); err != nil {
			return e, false, err
		}
		if c.After, err = st.side(f.Has, f.Row, f.New); err != nil {
			return e, false, err
		}
		e.Changes = append(e.Changes, c)
		any = true
	}
	return e, any, nil
}

func (st *store) side(there bool, rowKey, value []byte) (*tuple.Tuple, error) {
	if !there {
		return nil, nil
	}
	r, err := parseRow(rowKey)
	if err == nil {
		err = r.setValue(value)
	}
	if err != nil {
		return nil, fmt.Errorf("the record of an entry: %w", err)
	}
	t, err := st.names.tuple(r)
	return &t, err
}
