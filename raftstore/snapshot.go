package raftstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/raftstore/raftlog"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// snapshots is Raft's snapshot store, without a copy of the data: the state on
// disk is the snapshot. What is kept is one small file that says up to which
// index the state is durable, and with which members. A stream is made when a
// follower needs one.
type snapshots struct {
	dir   string
	state *state.State // set once it is open
	log   *raftlog.Log

	ctx    context.Context // ends streams under way
	cancel context.CancelFunc

	mu       sync.Mutex // guards what follows
	current  record     // Index 0: none yet
	incoming *snapshotSink
}

// record is the file: a snapshot that is in force.
type record struct {
	Version            int    `json:"version"`
	Index              uint64 `json:"index"`
	Term               uint64 `json:"term"`
	Configuration      []byte `json:"configuration"` // as Raft encodes it
	ConfigurationIndex uint64 `json:"configuration_index"`
	// Applied is what the state had applied: less than Index where the entries
	// between were Raft's own.
	Applied uint64 `json:"applied"`
}

const (
	recordVersion = 1
	recordName    = "snapshot.json"
	spoolPattern  = "stream-*.tmp"
	currentID     = "current"
	incomingID    = "incoming"
)

// openSnapshots reads the record and removes streams that a crash left.
func openSnapshots(dir string, log *raftlog.Log) (*snapshots, error) {
	left, err := filepath.Glob(filepath.Join(dir, spoolPattern))
	if err != nil {
		return nil, err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return nil, err
		}
	}
	store := &snapshots{dir: dir, log: log}
	store.ctx, store.cancel = context.WithCancel(context.Background())
	text, err := disk.ReadSummed(filepath.Join(dir, recordName))
	if errors.Is(err, os.ErrNotExist) {
		return store, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &store.current); err != nil {
		return nil, fmt.Errorf("%s: %w", recordName, err)
	}
	if store.current.Version != recordVersion {
		return nil, fmt.Errorf("%w: %s has version %d, and this build knows %d", ErrNewerData, recordName, store.current.Version, recordVersion)
	}
	return store, nil
}

// check compares the record with the state at start: the log behind the record
// may be gone, so a state that lacks it cannot be brought up to date, unless it is
// rebuilt anyway.
func (s *snapshots) check(rebuilding bool) error {
	applied, _ := s.state.Applied()
	if !rebuilding && applied < s.current.Applied {
		return fmt.Errorf("%w: the state in %s ends at %d, but the log before %d was dropped: the data folder is damaged; remove the node from its cluster and join with an empty folder, or restore a backup",
			state.ErrCorrupt, s.dir, applied, s.current.Applied)
	}
	if s.current.Index == 0 {
		return nil
	}
	if _, err := s.log.DropContradicted(s.current.Index, s.current.Term); err != nil {
		return err
	}
	s.log.SetSnapshot(s.current.Index, s.current.Term)
	return nil
}

// configuration returns the newest members that the log or the snapshot names,
// before Raft runs.
func (s *snapshots) configuration() (raft.Configuration, error) {
	last, err := s.log.LastIndex()
	if err != nil {
		return raft.Configuration{}, err
	}
	for index := last; index > s.current.Index; index-- {
		var entry raft.Log
		if err := s.log.GetLog(index, &entry); errors.Is(err, raft.ErrLogNotFound) {
			break
		} else if err != nil {
			return raft.Configuration{}, err
		}
		if entry.Type == raft.LogConfiguration {
			return raft.DecodeConfiguration(entry.Data), nil
		}
	}
	if s.current.Index == 0 {
		return raft.Configuration{}, nil
	}
	return raft.DecodeConfiguration(s.current.Configuration), nil
}

// close ends streams under way and drops what was received and not installed.
func (s *snapshots) close() error {
	s.cancel()
	s.mu.Lock()
	incoming := s.incoming
	s.incoming = nil
	s.mu.Unlock()
	if incoming == nil {
		return nil
	}
	return incoming.Cancel()
}

// Create begins a snapshot: one of this node's own, which writes nothing, or one
// that the leader sends.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64, members raft.Configuration, membersIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != 1 {
		return nil, fmt.Errorf("a snapshot of version %d", version)
	}
	return &snapshotSink{store: s, record: record{
		Version: recordVersion, Index: index, Term: term,
		Configuration: raft.EncodeConfiguration(members), ConfigurationIndex: membersIndex,
	}}, nil
}

// List returns the snapshot in force.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current.Index == 0 {
		return nil, nil
	}
	return []*raft.SnapshotMeta{s.current.meta(currentID, 0)}, nil
}

func (r record) meta(id string, size int64) *raft.SnapshotMeta {
	return &raft.SnapshotMeta{
		Version: 1, ID: id, Index: r.Index, Term: r.Term, Size: size,
		Configuration: raft.DecodeConfiguration(r.Configuration), ConfigurationIndex: r.ConfigurationIndex,
	}
}

// Open returns the stream of a snapshot. One of this node's own is written to a
// file first, since Raft has to announce its exact size; the log behind it is
// held meanwhile. It may hold more than its index says, as much as is applied by
// now: all of that is committed, and the receiver's state knows its own index.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	current, incoming := s.current, s.incoming
	s.mu.Unlock()
	if id == incomingID && incoming != nil {
		if _, err := incoming.spool.Seek(0, io.SeekStart); err != nil {
			return nil, nil, err
		}
		return incoming.record.meta(id, incoming.size), io.NopCloser(bufio.NewReaderSize(incoming.spool, 1<<20)), nil
	}
	if id != currentID || current.Index == 0 {
		return nil, nil, fmt.Errorf("there is no snapshot %q", id)
	}
	release := s.log.Hold(current.Index)
	spool, err := newSpool(s.dir)
	if err != nil {
		release()
		return nil, nil, err
	}
	stream := &exported{Reader: bufio.NewReaderSize(spool, 1<<20), spool: spool, release: release}
	size, err := s.export(spool)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("stream the state: %w", err), stream.Close())
	}
	return current.meta(id, size), stream, nil
}

// applied returns what the state had applied when the snapshot in force was made:
// the log up to there may be gone.
func (s *snapshots) applied() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.Applied
}

// incomingIndex returns the index of the snapshot that was received; 0 for none.
func (s *snapshots) incomingIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.incoming == nil {
		return 0
	}
	return s.incoming.record.Index
}

// installed puts the snapshot that the leader sent in force: the state holds it by now.
func (s *snapshots) installed(st *state.State) error {
	s.mu.Lock()
	incoming := s.incoming
	s.incoming = nil
	s.mu.Unlock()
	if incoming == nil {
		return errors.New("no snapshot was received")
	}
	if err := removeSpool(incoming.spool); err != nil {
		return err
	}
	r := incoming.record
	r.Applied, _ = st.Applied()
	if err := s.put(r); err != nil {
		return err
	}
	return s.log.Installed(r.Index, r.Term)
}

// put makes a record the one in force, durably, before Raft drops any log.
func (s *snapshots) put(r record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := disk.ReplaceSummed(filepath.Join(s.dir, recordName), text); err != nil {
		return err
	}
	s.mu.Lock()
	s.current = r
	s.mu.Unlock()
	return nil
}

// snapshotSink receives a snapshot.
type snapshotSink struct {
	store   *snapshots
	record  record
	local   bool   // of this node's own: Persist has made it durable
	durable uint64 // local: what the state had applied
	spool   *os.File
	size    int64
}

// ID names the snapshot to Open.
func (s *snapshotSink) ID() string {
	if s.local {
		return currentID
	}
	return incomingID
}

// Write takes the stream of the leader's snapshot.
func (s *snapshotSink) Write(b []byte) (int, error) {
	if s.spool == nil {
		spool, err := newSpool(s.store.dir)
		if err != nil {
			return 0, err
		}
		s.spool = spool
	}
	n, err := s.spool.Write(b)
	s.size += int64(n)
	return n, err
}

// Close ends the snapshot: one of this node's own is in force from here, and the
// leader's waits for its installation.
func (s *snapshotSink) Close() error {
	if s.local {
		s.record.Applied = s.durable
		if err := s.store.put(s.record); err != nil {
			return err
		}
		s.store.log.SetSnapshot(s.record.Index, s.record.Term)
		return nil
	}
	if s.spool == nil {
		return errors.New("the snapshot is empty")
	}
	s.store.mu.Lock()
	before := s.store.incoming
	s.store.incoming = s
	s.store.mu.Unlock()
	if before != nil { // it was received and then not installed
		return before.Cancel()
	}
	return nil
}

// Cancel drops the snapshot.
func (s *snapshotSink) Cancel() error {
	if s.spool == nil {
		return nil
	}
	return removeSpool(s.spool)
}
