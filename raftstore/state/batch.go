package state

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// batch writes keys at one timestamp, in order, over as many transactions as
// they need. The first error sticks.
type batch struct {
	db  *badger.DB
	at  uint64
	txn *badger.Txn
	err error
}

// put writes or removes a key. Older versions of it may go once they are below
// the history floor.
func (b *batch) put(key []byte, c cell) {
	if b.err != nil {
		return
	}
	if b.txn == nil {
		b.txn = b.db.NewTransactionAt(b.at, true)
	}
	err := b.set(key, c)
	if errors.Is(err, badger.ErrTxnTooBig) {
		if b.commit(); b.err != nil {
			return
		}
		b.txn = b.db.NewTransactionAt(b.at, true)
		err = b.set(key, c)
	}
	b.err = err
}

func (b *batch) set(key []byte, c cell) error {
	if !c.present {
		return b.txn.Delete(key)
	}
	return b.txn.SetEntry(badger.NewEntry(key, c.value).WithDiscard())
}

// commit writes what has been put and not yet written.
func (b *batch) commit() error {
	if b.txn == nil {
		return b.err
	}
	if b.err != nil {
		b.discard()
		return b.err
	}
	b.err = b.txn.CommitAt(b.at, nil)
	b.txn = nil
	return b.err
}

func (b *batch) discard() {
	if b.txn != nil {
		b.txn.Discard()
		b.txn = nil
	}
}
