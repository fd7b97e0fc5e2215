package state

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// applier applies one entry. It reads Badger as it stood before the entry
// (index−1), under what the entry's own commands have written so far, and writes
// nothing until commit: an entry that was applied in part before a crash is
// applied again with the same outcome.
type applier struct {
	s     *State
	index tuple.Revision
	now   int64 // log time
	txn   *badger.Txn

	pending map[string]cell    // by Badger key: what the entry writes
	base    map[string]cell    // by key of a tuple: what was there before the entry
	undo    []undoStep         // of the command at work
	scanned int                // tuples that its preconditions have looked at
	touched map[storeID]*store // stores whose tuples changed
	keys    []keyRecord
	events  []event
	publish []func() // what readers learn, under State.mu
	dropped []*store // that the entry deleted
}

// cell is the value of a key, or its absence.
type cell struct {
	present bool
	value   []byte
}

func (c cell) equal(d cell) bool { return c.present == d.present && bytes.Equal(c.value, d.value) }

type undoStep struct {
	key     string
	old     cell // as the command saw it
	new     cell
	pending bool // old was in pending
}

func (s *State) begin(index tuple.Revision, now int64) *applier {
	return &applier{s: s, index: index, now: now, txn: s.gen.db.NewTransactionAt(uint64(index)-1, false),
		pending: map[string]cell{}, base: map[string]cell{}, touched: map[storeID]*store{}}
}

// get reads a key as the next command sees it.
func (a *applier) get(key []byte) (cell, error) {
	if c, ok := a.pending[string(key)]; ok {
		return c, nil
	}
	value, ok, err := get(a.txn, key)
	return cell{present: ok, value: value}, err
}

// put writes a key. Of a tuple's key, old is what get answers for it now.
func (a *applier) put(key []byte, old, c cell) {
	name := string(key)
	earlier, was := a.pending[name]
	if was {
		old = earlier
	} else if isTuple(key[0]) {
		a.base[name] = old
	}
	a.undo = append(a.undo, undoStep{key: name, old: old, new: c, pending: was})
	a.pending[name] = c
}

// set writes a key that no command reads back.
func (a *applier) set(key, value []byte) {
	a.put(key, cell{}, cell{present: true, value: value})
}

func isTuple(kind byte) bool { return kind == prefixTuple || kind == prefixQuarantine }

// rollback takes back what the command at work has written.
func (a *applier) rollback() {
	for _, u := range slices.Backward(a.undo) {
		if u.pending {
			a.pending[u.key] = u.old
			continue
		}
		delete(a.pending, u.key)
		delete(a.base, u.key)
	}
	a.undo = a.undo[:0]
}

// accept makes what the command has written part of the entry, and counts it.
func (a *applier) accept(st *store) error {
	for _, u := range a.undo {
		if !isTuple(u.key[0]) || u.new.equal(u.old) {
			continue
		}
		a.touched[st.id], st.changed = st, a.index
		kind, rowKey := u.key[0], []byte(u.key[5:])
		r, err := parseRow(rowKey)
		if err != nil {
			return err
		}
		if u.old.present {
			if err := r.setValue(u.old.value); err != nil {
				return err
			}
			st.stats.change(kind, r, rowKey, u.old.value, -1)
		}
		if u.new.present {
			if err := r.setValue(u.new.value); err != nil {
				return err
			}
			st.stats.change(kind, r, rowKey, u.new.value, 1)
		}
	}
	a.undo = a.undo[:0]
	return nil
}

// scan visits the keys of one kind in one store whose row begins with prefix, as
// the next command sees them: first Badger's in key order, then the entry's own
// in key order. visit returns false to stop. It may not write.
func (a *applier) scan(kind byte, st *store, prefix []byte, visit func(rowKey, value []byte) (bool, error)) error {
	full := append(keySpace(kind, st.id), prefix...)
	it := a.txn.NewIterator(badger.IteratorOptions{Prefix: full})
	defer it.Close()
	for it.Seek(full); it.Valid(); it.Next() {
		key := it.Item().KeyCopy(nil)
		if _, ok := a.pending[string(key)]; ok {
			continue
		}
		more := false
		err := it.Item().Value(func(v []byte) (err error) {
			more, err = visit(key[5:], v)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	for _, key := range a.pendingUnder(string(full)) {
		c := a.pending[key]
		if !c.present {
			continue
		}
		if more, err := visit([]byte(key[5:]), c.value); err != nil || !more {
			return err
		}
	}
	return nil
}

func (a *applier) pendingUnder(prefix string) []string {
	var keys []string
	for key := range a.pending {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// rowAt reads the tuple with a row's key, with its attributes.
func (a *applier) rowAt(kind byte, st *store, r row) (row, cell, error) {
	c, err := a.get(r.key(kind, st.id))
	if err == nil && c.present {
		err = r.setValue(c.value)
	}
	return r, c, err
}

// write puts a live tuple in the place of old, which rowAt gave for its key.
func (a *applier) write(st *store, r, oldRow row, old cell) {
	if old.present && oldRow.Expires != 0 && oldRow.Expires != r.Expires {
		a.remove(oldRow.expiryKey(st.id))
	}
	if r.Expires != 0 {
		a.set(r.expiryKey(st.id), nil)
	}
	a.put(r.key(prefixTuple, st.id), old, cell{present: true, value: r.value()})
}

// erase removes a live tuple.
func (a *applier) erase(st *store, r row, old cell) {
	if r.Expires != 0 {
		a.remove(r.expiryKey(st.id))
	}
	a.put(r.key(prefixTuple, st.id), old, cell{})
}

// remove removes a key that no command reads back, except by scan.
func (a *applier) remove(key []byte) { a.put(key, cell{present: true}, cell{}) }

// effects returns what the entry did to tuples, net, in key order.
func (a *applier) effects() []effect {
	keys := make([]string, 0, len(a.base))
	for key, before := range a.base {
		if !before.equal(a.pending[key]) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	out := make([]effect, 0, len(keys))
	for _, key := range keys {
		before, after := a.base[key], a.pending[key]
		out = append(out, effect{Store: storeOfKey(key), Kind: key[0], Row: []byte(key[5:]),
			Had: before.present, Has: after.present, Old: before.value, New: after.value})
	}
	return out
}

func storeOfKey(key string) storeID {
	return storeID(uint32(key[1])<<24 | uint32(key[2])<<16 | uint32(key[3])<<8 | uint32(key[4]))
}

// flush writes everything at the entry's index: in as many transactions as it
// takes, the entry's record last.
func (a *applier) flush(rec record) error {
	w := batch{db: a.s.gen.db, at: uint64(a.index)}
	keys := make([]string, 0, len(a.pending))
	for key := range a.pending {
		if before, ok := a.base[key]; ok && before.equal(a.pending[key]) {
			continue
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		w.put([]byte(key), a.pending[key])
		if err := a.mirror(&w, key); err != nil {
			w.discard()
			return err
		}
	}
	err := putChunked(rec.encode(), func(chunk int, value []byte) {
		w.put(logKey(a.index, chunk), cell{present: true, value: value})
	})
	if err != nil {
		w.discard()
		return err
	}
	if err := w.commit(); err != nil {
		return fmt.Errorf("writing an entry: %w", err)
	}
	return nil
}

// mirror writes the reverse key of a live tuple where its store is on disk. No
// command reads reverse keys.
func (a *applier) mirror(w *batch, key string) error {
	if key[0] != prefixTuple || !a.s.byID[storeOfKey(key)].disk {
		return nil
	}
	r, err := parseRow([]byte(key[5:]))
	if err == nil {
		w.put(r.reverseKey(storeOfKey(key)), a.pending[key])
	}
	return err
}
