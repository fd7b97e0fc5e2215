package state

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The bounds of a precondition's work. They are part of what apply does.
const (
	maxScanned  = 50_000  // tuples that the preconditions of one command look at
	maxReplayed = 100_000 // revisions that an Unchanged without an object looks back
)

var errStop = errors.New("stop")

// precondition judges one precondition; a rejection where it does not hold.
func (a *applier) precondition(st *store, i int, p command.Precondition) error {
	if p.Must == command.Unchanged {
		return a.unchanged(st, i, p)
	}
	found, example, err := a.anyLive(st, i, p.Filter)
	switch {
	case err != nil:
		return err
	case p.Must == command.Match && !found:
		return reject(command.CodePreconditionFailed, i, "read the tuples again and decide afresh",
			"no tuple matches precondition %d, which demands one", i)
	case p.Must == command.NotMatch && found:
		return reject(command.CodePreconditionFailed, i, "read the tuples again and decide afresh",
			"the tuple %s matches precondition %d, which demands that none does", example, i)
	}
	return nil
}

// anyLive looks for a tuple that a filter selects and that has not expired.
func (a *applier) anyLive(st *store, i int, f tuple.Filter) (found bool, example tuple.Key, err error) {
	err = a.selected(prefixTuple, st, f, &a.scanned, func(r row) (bool, error) {
		if r.expiredAt(a.now) {
			return true, nil
		}
		t, err := st.names.tuple(r)
		found, example = true, t.Key
		return false, err
	})
	if errors.Is(err, errStop) {
		err = tooBroad(i)
	}
	return found, example, err
}

func tooBroad(i int) error {
	return reject(command.CodePreconditionTooBroad, i, "name the object in the filter", "precondition %d looks at too many tuples", i)
}

// selected visits the tuples that a filter selects. With a count, it stops with
// errStop after maxScanned tuples of the command.
func (a *applier) selected(kind byte, st *store, f tuple.Filter, scanned *int, visit func(row) (bool, error)) error {
	sel := st.names.selection(f)
	if sel.none {
		return nil
	}
	return a.scan(kind, st, sel.prefix, func(rowKey, value []byte) (bool, error) {
		if scanned != nil {
			if *scanned++; *scanned > maxScanned {
				return false, errStop
			}
		}
		r, err := parseRow(rowKey)
		if err == nil {
			err = r.setValue(value)
		}
		if err != nil || !sel.selects(st.names, f, r) {
			return err == nil, err
		}
		return visit(r)
	})
}

// unchanged judges that nothing that the filter selects was written or removed
// after a revision.
func (a *applier) unchanged(st *store, i int, p command.Precondition) error {
	if p.Since < a.s.floor {
		return reject(command.CodePreconditionTooOld, i, "read the tuples again and decide afresh",
			"precondition %d asks about changes before the history that is kept", i)
	}
	if st.changed <= p.Since {
		return nil
	}
	changed := p.Filter.IsZero()
	sel := st.names.selection(p.Filter)
	if !changed && !sel.none {
		var err error
		if changed, err = a.changedSince(st, i, p, sel); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return reject(command.CodePreconditionFailed, i, "read the tuples again and decide afresh",
		"tuples of precondition %d have changed since", i)
}

func (a *applier) changedSince(st *store, i int, p command.Precondition, sel selection) (bool, error) {
	hit := func(rowKey []byte) (bool, error) {
		r, err := parseRow(rowKey)
		return err == nil && sel.selects(st.names, p.Filter, r), err
	}
	prefix := append(keySpace(prefixTuple, st.id), sel.prefix...)
	for _, key := range a.pendingUnder(string(prefix)) { // earlier commands of the entry
		if a.base[key].equal(a.pending[key]) {
			continue
		}
		if changed, err := hit([]byte(key[5:])); changed || err != nil {
			return changed, err
		}
	}
	if sel.want.ObjectType != 0 && sel.want.ObjectID != "" {
		return a.versionsSince(prefix, p.Since, hit)
	}
	if a.index-p.Since > maxReplayed {
		return false, tooBroad(i)
	}
	changed := false
	err := eachRecord(a.txn, p.Since+1, a.index-1, func(_ tuple.Revision, r record) error {
		for _, e := range r.Effects {
			if e.Store != st.id || e.Kind != prefixTuple {
				continue
			}
			if ok, err := hit(e.Row); ok || err != nil {
				changed = ok
				return firstError(err, errStop)
			}
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return changed, err
}

func firstError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

// versionsSince says whether a key under a prefix that hit selects has a version,
// a removal included, after a revision at or above the floor.
func (a *applier) versionsSince(prefix []byte, since tuple.Revision, hit func([]byte) (bool, error)) (bool, error) {
	it := a.txn.NewIterator(badger.IteratorOptions{Prefix: prefix, AllVersions: true, SinceTs: uint64(since)})
	defer it.Close()
	for it.Seek(prefix); it.Valid(); it.Next() {
		if it.Item().Version() <= uint64(since) {
			continue
		}
		changed, err := hit(it.Item().Key()[5:])
		if err != nil {
			return false, fmt.Errorf("reading versions: %w", err)
		}
		if changed {
			return true, nil
		}
	}
	return false, nil
}

// deleteSelected deletes every tuple that a filter selects, quarantined ones too.
func (a *applier) deleteSelected(st *store, f tuple.Filter, res *command.Result) error {
	for _, kind := range []byte{prefixTuple, prefixQuarantine} {
		if kind == prefixQuarantine && st.stats.Quarantined == 0 {
			continue
		}
		var rows []row
		err := a.selected(kind, st, f, nil, func(r row) (bool, error) {
			rows = append(rows, r)
			return true, nil
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			old := cell{present: true, value: r.value()}
			if kind == prefixTuple {
				a.erase(st, r, old)
			} else {
				a.put(r.key(kind, st.id), old, cell{})
			}
			if !r.expiredAt(a.now) {
				res.Deleted++
			}
		}
	}
	return nil
}
