package state_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/state"
)

// TestLostTuple: Badger can answer "not found" for what is damaged. A tuple that
// is gone without an entry having removed it is found at start.
func TestLostTuple(t *testing.T) {
	c := withDocs(t)
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:a#viewer@user:bob"))
	if err := c.s.Scrub(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	o := badger.DefaultOptions(filepath.Join(c.dir, "data-1", "badger"))
	o.Logger = nil
	db, err := badger.OpenManaged(o)
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(math.MaxUint64, true)
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte("t")})
	it.Rewind()
	key, at := it.Item().KeyCopy(nil), it.Item().Version()
	it.Close()
	if err := txn.Delete(key); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(at, nil); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := state.Open(state.Options{Dir: c.dir})
	if !errors.Is(err, state.ErrCorrupt) {
		t.Errorf("opened with %v, want ErrCorrupt", err)
	}
	if err == nil {
		s.Close()
	}
}
