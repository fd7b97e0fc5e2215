package raftstore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/raftstore/raftlog"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// Restore makes a data folder of a backup: that of the first node of a new
// cluster, which Open starts and others join. The cluster has an identity and a
// secret of its own, which its first leader draws: tokens and cursors of the one
// that the backup is of are another cluster's, whatever has happened there since.
//
// The folder must not be there, or be empty. Everything is read, verified and
// counted beside it before it gets its name; where anything is wrong, nothing is
// left. Errors: *backup.FaultError, ErrExistingState, state.ErrCorrupt, the disk's.
func Restore(dir string, file io.Reader, log *slog.Logger) (header backup.Header, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return header, err
	}
	if len(entries) > 0 {
		return header, fmt.Errorf("%w: %s is not empty; restore into a new folder", ErrExistingState, dir)
	}
	in, err := backup.NewReader(file) // before anything is made on disk
	if err != nil {
		return header, err
	}
	making := filepath.Clean(dir) + ".restoring"
	if err := os.RemoveAll(making); err != nil { // of a restore that was interrupted
		return header, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(making))
		}
	}()
	s, err := ReadBackup(filepath.Join(making, stateDir), in, log)
	if err != nil {
		return in.Header, err
	}
	index, term := s.Applied()
	if err := s.Close(); err != nil {
		return in.Header, err
	}
	if err := beginRaft(making, index, term); err != nil {
		return in.Header, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // the empty one
		return in.Header, err
	}
	if err := os.Rename(making, dir); err != nil {
		return in.Header, err
	}
	return in.Header, disk.Sync(filepath.Dir(filepath.Clean(dir)))
}

// ReadBackup reads the content of a backup into a state in a folder of its own,
// verified to its end. The caller closes it, and removes the folder where there
// is an error.
func ReadBackup(dir string, in *backup.Reader, log *slog.Logger) (*state.State, error) {
	if f := in.Header.Feature; f > command.FeatureLevel {
		return nil, fmt.Errorf("%w (feature level %d; this build knows %d)", backup.ErrNewer, f, command.FeatureLevel)
	}
	s, err := state.Open(state.Options{Dir: dir, Logger: log})
	if err != nil {
		return nil, err
	}
	content := bufio.NewReaderSize(in, contentBuffer)
	if err = s.Import(content); err == nil {
		index, _ := s.Applied()
		err = endOf(in, content, index)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// VerifyBackup reads a backup to its end without restoring it, and says what it
// holds: its checksums, its form, and the digest and counts of every store.
func VerifyBackup(file io.Reader) (backup.Header, state.Contents, error) {
	in, err := backup.NewReader(file)
	if err != nil {
		return backup.Header{}, state.Contents{}, err
	}
	content := bufio.NewReaderSize(in, contentBuffer)
	contents, err := state.Inspect(content)
	if err == nil {
		err = endOf(in, content, contents.Index)
	}
	return in.Header, contents, err
}

// contentBuffer is at least what a reader of the content would make for itself:
// so it takes this one, and what follows the content is left there.
const contentBuffer = 1 << 20

// endOf verifies that the file ends where its content does, and that the content
// is of the revision that the header says.
func endOf(in *backup.Reader, content *bufio.Reader, index uint64) error {
	rest, err := io.Copy(io.Discard, content)
	switch {
	case err != nil:
		return err
	case rest > 0:
		return &backup.FaultError{Part: "content", Err: fmt.Errorf("%w: something follows it", backup.ErrDamaged)}
	case index != in.Header.Revision:
		return &backup.FaultError{Part: "header", Err: fmt.Errorf("%w: the content is of another revision", backup.ErrDamaged)}
	}
	return nil
}

// beginRaft makes the files of a node that is alone in its cluster and has a
// state up to an index: as if it had dropped its log behind a snapshot.
func beginRaft(dir string, index, term uint64) error {
	id := newID()
	text, err := json.Marshal(nodeIdentity{Version: identityVersion, ID: id})
	if err != nil {
		return err
	}
	if err := disk.ReplaceSummed(filepath.Join(dir, identityName), text); err != nil {
		return err
	}
	folder := filepath.Join(dir, raftDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	log, err := raftlog.Open(raftlog.Options{Path: filepath.Join(folder, logName), StallTimeout: time.Minute, Stalled: func(bool) {}})
	if err != nil {
		return err
	}
	err = log.SetUint64([]byte("CurrentTerm"), term) // Raft's name for it: no term may come again
	if err = errors.Join(err, log.Close()); err != nil {
		return err
	}
	snapshots, err := openSnapshots(folder, nil)
	if err != nil {
		return err
	}
	self := raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(unnamedAddress(id))} // its first leader's term tells where it listens
	err = snapshots.put(record{Version: recordVersion, Index: index, Term: term, ConfigurationIndex: index, Applied: index,
		Configuration: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{self}})})
	return errors.Join(err, snapshots.close(), disk.SyncTree(dir))
}
