package state

import (
	"encoding/binary"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// collectLimit is how many expired tuples a command collects that does not say.
const collectLimit = 1000

// collectExpired removes tuples that have expired at the log time.
func (a *applier) collectExpired(st *store, c *command.CollectExpired, res *command.Result) error {
	limit := int(c.Limit)
	if limit == 0 {
		limit = collectLimit
	}
	var rows []row
	err := a.scan(prefixExpiry, st, nil, func(key, _ []byte) (bool, error) {
		if len(key) < 8 {
			return false, errCorruptKey
		}
		expires := binary.BigEndian.Uint64(key)
		if !(tuple.Edge{Expires: expires}).ExpiredAt(a.now) { // the later ones of this very entry wait for the next command
			return false, nil
		}
		if len(rows) == limit {
			res.More = true
			return false, nil
		}
		r, err := parseRow(key[8:])
		r.Expires = expires
		rows = append(rows, r)
		return true, err
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		found, old, err := a.rowAt(prefixTuple, st, r)
		if err != nil {
			return err
		}
		if !old.present || found.Expires != r.Expires {
			a.remove(r.expiryKey(st.id))
			continue
		}
		a.erase(st, found, old)
		res.Deleted++
	}
	return nil
}

// resolveQuarantine takes tuples out of quarantine.
func (a *applier) resolveQuarantine(st *store, c *command.ResolveQuarantine, res *command.Result) error {
	var rows []row
	err := a.selected(prefixQuarantine, st, c.Filter, nil, func(r row) (bool, error) {
		rows = append(rows, r)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if c.Revive && !r.expiredAt(a.now) {
			revived, err := a.revive(st, r)
			if err != nil {
				return err
			}
			if !revived {
				res.Quarantined++
				continue
			}
			res.Created++
		} else {
			res.Deleted++
		}
		a.put(r.key(prefixQuarantine, st.id), cell{present: true, value: r.value()}, cell{})
	}
	return nil
}

// revive makes a quarantined tuple live again, where the schema admits it.
func (a *applier) revive(st *store, r row) (bool, error) {
	named, err := st.names.tuple(r)
	if err != nil || st.admitter == nil || st.admitter.Admit(named) != nil {
		return false, err
	}
	oldRow, old, err := a.rowAt(prefixTuple, st, r)
	if err != nil || old.present && !oldRow.expiredAt(a.now) {
		return false, err
	}
	if relation := st.admitter.Relation(named.Object.Type, named.Relation); relation != nil && relation.AtMost > 0 {
		count, err := a.count(st, r)
		if err != nil || count >= relation.AtMost {
			return false, err
		}
	}
	a.write(st, r, oldRow, old)
	return true, nil
}

// HasExpired says whether a store holds a tuple that has expired at an instant and
// is not collected yet, so that nobody proposes to collect nothing.
func (s *State) HasExpired(name string, at time.Time) (bool, error) {
	v, err := s.View(name, 0)
	if err != nil {
		return false, err
	}
	defer v.Close()
	txn := v.txn()
	defer txn.Discard()
	prefix := keySpace(prefixExpiry, v.st.id)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	it.Seek(prefix)
	if !it.Valid() {
		return false, nil
	}
	f := fields{b: it.Item().Key()[len(prefix):]}
	first := tuple.Edge{Expires: f.u64()}
	return f.err == nil && first.ExpiredAt(at.UnixNano()), f.err
}
