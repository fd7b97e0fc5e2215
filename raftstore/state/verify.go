package state

import (
	"context"

	"github.com/dgraph-io/badger/v4"
)

// verify recounts the store's tuples as they stood at the revision of txn;
// ErrCorrupt where they are not those that apply has counted. Of a store on disk
// it reads both directions, since nothing else would miss a reverse key.
func (st *store) verify(txn *badger.Txn, kept *stats) error {
	if !st.disk {
		found, err := recount(txn, st.id)
		if err != nil {
			return err
		}
		return found.compare(kept)
	}
	found, err := recountStore(txn, st.id, Kept.pacer(context.Background()))
	if err != nil {
		return err
	}
	return found.compare(st, kept)
}
