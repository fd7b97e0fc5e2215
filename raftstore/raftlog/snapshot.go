package raftlog

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// SetSnapshot tells the log which snapshot is in force on this node, from its
// start or since it made one itself.
func (l *Log) SetSnapshot(index, term uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshot = raft.Log{Index: index, Term: term}
}

// Installed tells the log that a snapshot of (index, term) was received and is in
// force, before Raft goes on.
//
// A node that was cut off as leader has a tail of entries that nobody committed.
// When it receives a snapshot from its successor, Raft keeps that tail, refuses
// the entries behind the snapshot because the one before them does not match,
// and receives the snapshot again, for ever (hashicorp/raft #697). So where the
// log does not hold the snapshot's own entry, everything up to index is deleted
// (the Raft paper, section 7), and GetLog answers there with the snapshot's term:
// the entries behind it then match, and the first of them replaces the tail. The
// tail itself stays until then, since Raft still remembers its length.
func (l *Log) Installed(index, term uint64) error {
	var entry raft.Log
	err := l.bolt.GetLog(index, &entry)
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if err == nil && entry.Term == term {
		l.SetSnapshot(index, term)
		return nil
	}
	first, err := l.bolt.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.bolt.LastIndex()
	if err != nil {
		return err
	}
	if first > 0 {
		if err := l.deleteUpwards(first, min(index, last)); err != nil {
			return err
		}
	}
	l.SetSnapshot(index, term)
	return nil
}

// DropContradicted deletes the whole log when it contradicts a snapshot of
// (index, term): when it holds another term at index, or an older one behind it.
// Nothing is lost: what the snapshot holds was committed, so a tail of an older
// term was not. Call it before Raft starts; it says whether it deleted.
func (l *Log) DropContradicted(index, term uint64) (bool, error) {
	first, err := l.bolt.FirstIndex()
	if err != nil {
		return false, err
	}
	last, err := l.bolt.LastIndex()
	if err != nil || last == 0 || index == 0 {
		return false, err
	}
	contradicted, err := l.contradicts(index, term, last)
	if err != nil || !contradicted {
		return false, err
	}
	if err := l.deleteDownwards(first, last); err != nil {
		return false, fmt.Errorf("drop a log that contradicts the snapshot of index %d: %w", index, err)
	}
	return true, nil
}

// contradicts looks at two entries only: terms never fall along a log.
func (l *Log) contradicts(index, term, last uint64) (bool, error) {
	var entry raft.Log
	for _, at := range []uint64{index, index + 1} {
		if at > last {
			return false, nil
		}
		switch err := l.bolt.GetLog(at, &entry); {
		case errors.Is(err, raft.ErrLogNotFound): // compacted, or a gap that an install left
		case err != nil:
			return false, err
		case at == index && entry.Term != term, entry.Term < term:
			return true, nil
		}
	}
	return false, nil
}
