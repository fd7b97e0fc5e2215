package raftstore

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// fsm gives committed entries to the state. Raft calls its methods from one
// goroutine, in the order of the log.
//
// What is applied already is decided by the state's own index, which is on disk
// with the data, and never by Raft's: at a start Raft replays everything behind
// its last snapshot, of which the state holds all or most.
type fsm struct {
	state     *state.State
	snapshots *snapshots
	fault     func(error) // told once, with the first error that is this node's own
	members   func(raft.Configuration)
	damaged   func(error) // told that the state is not what it should be

	halted atomic.Bool   // a local fault: nothing is applied any more
	term   atomic.Uint64 // of the last entry that reached apply

	mu        sync.Mutex // held while an entry is applied or the state is replaced; guards what follows
	suspended bool       // the state is damaged: nothing is applied until it is replaced
	last      uint64     // the last entry that came, applied or not
}

// applied is what apply answers to a proposer.
type applied struct {
	results []command.Result
	err     error // a local fault; rejections are in the results
}

// Apply applies one entry. A fault of this node's own (its disk, a command that
// its build does not know) is no rejection: other nodes will have applied the
// entry, so this one may not go on.
func (f *fsm) Apply(entry *raft.Log) any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apply(entry)
}

// apply applies an entry. The caller holds mu.
func (f *fsm) apply(entry *raft.Log) applied {
	f.last = entry.Index
	switch {
	case f.halted.Load():
		return applied{err: ErrHalted}
	case f.suspended:
		return applied{err: ErrRebuilding}
	}
	if index, _ := f.state.Applied(); entry.Index <= index {
		f.term.Store(entry.Term)
		return applied{err: fmt.Errorf("entry %d was applied before", entry.Index)}
	}
	decoded, err := command.Decode(entry.Data)
	if err != nil {
		return applied{err: f.halt(fmt.Errorf("decode entry %d: %w", entry.Index, err))}
	}
	results, err := f.state.Apply(entry.Index, entry.Term, decoded)
	if err != nil {
		err = fmt.Errorf("apply entry %d: %w", entry.Index, err)
		if errors.Is(err, state.ErrCorrupt) {
			f.suspended = true
			f.damaged(err)
			return applied{err: err}
		}
		return applied{err: f.halt(err)}
	}
	f.term.Store(entry.Term)
	return applied{results: results}
}

func (f *fsm) halt(err error) error {
	if f.halted.CompareAndSwap(false, true) {
		f.fault(err)
	}
	return err
}

// suspend stops applying: what is applied to a damaged state is damage too.
func (f *fsm) suspend() {
	f.mu.Lock()
	f.suspended = true
	f.mu.Unlock()
}

// seen returns the last entry that came or is part of the state.
func (f *fsm) seen() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	index, _ := f.state.Applied()
	return max(f.last, index, f.snapshots.applied())
}

// replace replaces the state and goes on applying: first what came meanwhile,
// from the log, which is not compacted as long as there are no snapshots.
func (f *fsm) replace(log raft.LogStore, put func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.suspended { // the leader has sent a snapshot meanwhile
		return nil
	}
	if err := put(); err != nil {
		return err
	}
	index, _ := f.state.Applied()
	f.suspended = false
	for to := f.last; index < to; {
		index++
		var entry raft.Log
		if err := log.GetLog(index, &entry); err != nil {
			return f.halt(fmt.Errorf("read entry %d of the log again: %w", index, err))
		}
		if entry.Type != raft.LogCommand {
			continue
		}
		if err := f.apply(&entry).err; err != nil {
			return err
		}
	}
	return nil
}

// StoreConfiguration lets Raft count changes of membership as applied, so that a
// snapshot may follow one. The configuration itself is kept with the snapshot.
func (f *fsm) StoreConfiguration(_ uint64, members raft.Configuration) { f.members(members) }

// Snapshot begins a snapshot of everything applied so far.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	f.mu.Lock()
	suspended := f.suspended
	f.mu.Unlock()
	switch {
	case f.halted.Load():
		return nil, ErrHalted
	case suspended: // or the log would be dropped that the new state needs
		return nil, ErrRebuilding
	}
	index, _ := f.state.Applied()
	return &localSnapshot{state: f.state, index: index}, nil
}

// Restore replaces the state by a snapshot that the leader sent, unless the state
// holds all of it already: it would only go back for a while.
func (f *fsm) Restore(source io.ReadCloser) error {
	if f.halted.Load() {
		return ErrHalted
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if applied, _ := f.state.Applied(); f.suspended || applied < f.snapshots.incomingIndex() {
		if err := f.state.Import(source); err != nil {
			return fmt.Errorf("install the leader's snapshot: %w", err)
		}
		f.suspended = false
	} else if err := f.state.Persist(); err != nil {
		return f.halt(fmt.Errorf("make the state durable: %w", err))
	}
	if err := f.snapshots.installed(f.state); err != nil {
		return f.halt(fmt.Errorf("record the leader's snapshot: %w", err))
	}
	return nil
}

// localSnapshot copies nothing: to take a snapshot is to make durable what is
// applied, so that the log behind it is not needed to recover.
type localSnapshot struct {
	state *state.State
	index uint64 // what the state had applied when Raft asked
}

// Persist makes everything up to the snapshot durable.
func (s *localSnapshot) Persist(sink raft.SnapshotSink) error {
	local, ok := sink.(*snapshotSink)
	if !ok {
		return errors.New("a snapshot of this node goes to its own snapshots only")
	}
	if err := s.state.Persist(); err != nil {
		return err
	}
	durable, _ := s.state.Durable()
	if durable < s.index {
		return fmt.Errorf("the state is durable up to %d only, the snapshot needs %d", durable, s.index)
	}
	local.durable = s.index
	local.local = true
	return nil
}

// Release has nothing to let go.
func (s *localSnapshot) Release() {}
