package state

import (
	"bytes"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Effects is what one entry did to one store, over all of its commands.
type Effects struct {
	Revision tuple.Revision
	LogTime  time.Time
	Created  bool // the store was created
	Deleted  bool // the store was deleted, with all that was in it: Changes does not list that
	Schema   bool // its schema was written
	Changes  []Change
}

// Change is what an entry did to one tuple. Whoever applies changes in order to
// the live tuples adds for Create, Touch and Revive, and takes away for Delete,
// Expire and Quarantine.
type Change struct {
	Op     Op
	Tuple  tuple.Tuple  // as it is now, or as it was before it went
	Before *tuple.Tuple // of a Touch: what it replaced
}

// Op is what became of a tuple.
type Op string

// The operations.
const (
	Create     Op = "create"     // it was absent, or expired
	Touch      Op = "touch"      // it was there with another condition, context or expiry
	Delete     Op = "delete"     // it is gone
	Expire     Op = "expire"     // it is gone, and had expired before
	Quarantine Op = "quarantine" // a schema that does not admit it took it out of the live ones
	Revive     Op = "revive"     // it came back from quarantine
	Discard    Op = "discard"    // it left quarantine for good; live tuples are what they were
)

// effects picks out of an entry's record what it did to the store; any says
// whether it did something.
func (st *store) effects(rev tuple.Revision, r record) (e Effects, any bool, err error) {
	e = Effects{Revision: rev, LogTime: time.Unix(0, r.Time).UTC()}
	for _, ev := range r.Events {
		if ev.Store != st.id {
			continue
		}
		switch ev.Kind {
		case eventStoreCreated:
			e.Created = true
		case eventStoreDeleted:
			e.Deleted = true
		case eventSchema:
			e.Schema = true
		}
	}
	moves := st.moves(r)
	for _, f := range r.Effects {
		if f.Store != st.id {
			continue
		}
		op := moves.op(f)
		if op == "" {
			continue
		}
		c := Change{Op: op}
		if f.Has {
			c.Tuple, err = st.named(f.Row, f.New)
		} else {
			c.Tuple, err = st.named(f.Row, f.Old)
		}
		if err == nil && f.Had && f.Has {
			var before tuple.Tuple
			before, err = st.named(f.Row, f.Old)
			c.Before = &before
		}
		if err != nil {
			return e, false, err
		}
		e.Changes = append(e.Changes, c.dated(e.LogTime))
	}
	return e, e.Created || e.Deleted || e.Schema || len(e.Changes) > 0, nil
}

// dated tells what an entry removed from what had ended by itself.
func (c Change) dated(now time.Time) Change {
	gone := func(t tuple.Tuple) bool { return !t.Expires.IsZero() && !t.Expires.After(now) }
	switch {
	case c.Op == Delete && gone(c.Tuple):
		c.Op = Expire
	case c.Op == Touch && gone(*c.Before):
		c.Op, c.Before = Create, nil
	}
	if c.Op != Touch {
		c.Before = nil
	}
	return c
}

// moves knows the tuples that an entry moved between the live ones and
// quarantine: each is an effect on either side, and one change.
type moves struct {
	live  map[string]effect // by row
	apart map[string]effect // in quarantine
}

func (st *store) moves(r record) moves {
	var m moves
	for _, f := range r.Effects {
		if f.Kind == prefixQuarantine && f.Store == st.id {
			if m.apart == nil {
				m = moves{live: map[string]effect{}, apart: map[string]effect{}}
			}
			m.apart[string(f.Row)] = f
		}
	}
	if m.apart == nil { // as nearly always
		return m
	}
	for _, f := range r.Effects {
		if _, ok := m.apart[string(f.Row)]; ok && f.Kind == prefixTuple && f.Store == st.id {
			m.live[string(f.Row)] = f
		}
	}
	return m
}

// op says what an effect is to those who watch; "" where the one on the other
// side says it.
func (m moves) op(f effect) Op {
	if f.Kind == prefixQuarantine {
		other, both := m.live[string(f.Row)]
		switch {
		case both && (f.Has && !other.Has || !f.Has && other.Has):
			return ""
		case f.Has:
			return Quarantine
		}
		return Discard
	}
	other, both := m.apart[string(f.Row)]
	switch {
	case f.Has && f.Had:
		return Touch
	case f.Has && both && other.Had && !other.Has && bytes.Equal(other.Old, f.New):
		return Revive
	case f.Has:
		return Create
	case both && other.Has:
		return Quarantine
	}
	return Delete
}

// named is the tuple of a row and a value in an entry's record.
func (st *store) named(rowKey, value []byte) (tuple.Tuple, error) {
	r, err := parseRow(rowKey)
	if err == nil {
		err = r.setValue(value)
	}
	if err != nil {
		return tuple.Tuple{}, fmt.Errorf("the record of an entry: %w", err)
	}
	return st.names.tuple(r)
}
