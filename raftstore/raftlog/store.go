package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged means that the log on disk is not what was written.
var ErrDamaged = errors.New("the log is damaged")

// errNotFound reads as Raft asks for.
var errNotFound = errors.New("not found")

// The buckets. The sequence of entries' is the last index, which is written in the
// same transaction as the entries: a tail that is missing shows. All votes are one
// value, so that none of them can be missing alone.
var (
	entriesBucket = []byte("pemba entries")
	votesBucket   = []byte("pemba votes")
	votesKey      = []byte("votes")
)

// lockTimeout bounds the wait for another process that has the file open.
const lockTimeout = time.Second

// store keeps entries and votes in bbolt. Every method turns a panic over damaged
// pages into ErrDamaged.
type store struct{ db *bbolt.DB }

func openStore(path string, noSync bool) (s *store, err error) {
	if err := checkAlone(path); err != nil {
		return nil, err
	}
	err = guard(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:        lockTimeout,
			NoSync:         noSync,
			NoFreelistSync: true, // the list is rebuilt at start instead of written at every commit
			FreelistType:   bbolt.FreelistMapType,
		})
		if err != nil {
			return err
		}
		s = &store{db}
		isNew := false
		err = db.View(func(tx *bbolt.Tx) error {
			isNew = tx.Bucket(entriesBucket) == nil
			return nil
		})
		if err != nil || !isNew {
			return err
		}
		return db.Update(func(tx *bbolt.Tx) error {
			_, errE := tx.CreateBucket(entriesBucket)
			votes, errV := tx.CreateBucket(votesBucket)
			if err := errors.Join(errE, errV); err != nil {
				return err
			}
			return putVotes(votes, map[string][]byte{})
		})
	})
	if err != nil && s != nil {
		err = errors.Join(err, s.db.Close())
	}
	return s, err
}

// checkAlone checks a file that no other process has open: what one is writing is
// not damaged.
func checkAlone(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil // there is none yet
	}
	if err != nil {
		return err
	}
	var locked *bbolt.DB
	err = guard(func() (err error) {
		locked, err = bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockTimeout})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return errors.Join(check(path), guard(locked.Close))
}

// guard turns a panic of bbolt into an error: it trusts its pages. A page of the
// memory map that the file lacks is such a panic too.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: bbolt: %v", ErrDamaged, p)
		}
	}()
	return do()
}

func (s *store) view(do func(entries, votes *bbolt.Bucket) error) error {
	return guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error { return s.buckets(tx, do) })
	})
}

func (s *store) update(do func(entries, votes *bbolt.Bucket) error) error {
	return guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error { return s.buckets(tx, do) })
	})
}

func (s *store) buckets(tx *bbolt.Tx, do func(entries, votes *bbolt.Bucket) error) error {
	entries, votes := tx.Bucket(entriesBucket), tx.Bucket(votesBucket)
	if entries == nil || votes == nil {
		return fmt.Errorf("%w: its buckets are missing", ErrDamaged)
	}
	return do(entries, votes)
}

func (s *store) Close() error { return guard(s.db.Close) }

// FirstIndex returns the oldest index, 0 for an empty log.
func (s *store) FirstIndex() (first uint64, err error) {
	err = s.view(func(entries, _ *bbolt.Bucket) error {
		key, _ := entries.Cursor().First()
		first, err = indexOf(key)
		return err
	})
	return first, err
}

// LastIndex returns the newest index, 0 for an empty log.
func (s *store) LastIndex() (last uint64, err error) {
	err = s.view(func(entries, _ *bbolt.Bucket) error {
		key, _ := entries.Cursor().Last()
		last, err = indexOf(key)
		return err
	})
	return last, err
}

func indexOf(key []byte) (uint64, error) {
	if key == nil {
		return 0, nil
	}
	if len(key) != 8 {
		return 0, fmt.Errorf("%w: a key of %d bytes", ErrDamaged, len(key))
	}
	return binary.BigEndian.Uint64(key), nil
}

// GetLog reads an entry, or answers raft.ErrLogNotFound.
func (s *store) GetLog(index uint64, e *raft.Log) error {
	return s.view(func(entries, _ *bbolt.Bucket) error {
		key := entryKey(index)
		value := entries.Get(key)
		if value == nil {
			return raft.ErrLogNotFound
		}
		return decodeEntry(key, value, e)
	})
}

// StoreLogs appends entries, all of them or none.
func (s *store) StoreLogs(list []*raft.Log) error {
	if len(list) == 0 {
		return nil
	}
	return s.update(func(entries, _ *bbolt.Bucket) error {
		entries.FillPercent = 0.9 // they come in order, and nothing is inserted
		last := entries.Sequence()
		for _, e := range list {
			if err := entries.Put(entryKey(e.Index), encodeEntry(e)); err != nil {
				return err
			}
			last = max(last, e.Index)
		}
		return entries.SetSequence(last)
	})
}

// DeleteRange deletes the entries from first to last, both included.
func (s *store) DeleteRange(first, last uint64) error {
	return s.update(func(entries, _ *bbolt.Bucket) error {
		oldest, _ := entries.Cursor().First() // before anything is deleted: over pages that have
		begin, err := indexOf(oldest)         // become empty a cursor of bbolt's never ends
		if err != nil {
			return err
		}
		end := entries.Sequence()
		if last >= end {
			end = 0
			if first > begin {
				end = first - 1
			}
		}
		for index := first; index <= last; index++ {
			if err := entries.Delete(entryKey(index)); err != nil {
				return err
			}
		}
		return entries.SetSequence(end)
	})
}

// Set stores a value beside the others.
func (s *store) Set(key, value []byte) error {
	return s.update(func(_, votes *bbolt.Bucket) error {
		all, err := getVotes(votes)
		if err != nil {
			return err
		}
		all[string(key)] = value
		return putVotes(votes, all)
	})
}

// Get returns the value of a key, or errNotFound.
func (s *store) Get(key []byte) (value []byte, err error) {
	err = s.view(func(_, votes *bbolt.Bucket) error {
		all, err := getVotes(votes)
		if err != nil {
			return err
		}
		var ok bool
		if value, ok = all[string(key)]; !ok {
			return errNotFound
		}
		return nil
	})
	return value, err
}

// SetUint64 stores a number.
func (s *store) SetUint64(key []byte, n uint64) error {
	return s.Set(key, binary.BigEndian.AppendUint64(nil, n))
}

// GetUint64 returns a number, or errNotFound.
func (s *store) GetUint64(key []byte) (uint64, error) {
	value, err := s.Get(key)
	if err == nil && len(value) != 8 {
		err = fmt.Errorf("%w: %s has %d bytes", ErrDamaged, key, len(value))
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(value), nil
}

func putVotes(votes *bbolt.Bucket, all map[string][]byte) error {
	text, err := json.Marshal(all, json.Deterministic(true))
	if err != nil {
		return err
	}
	sum := checksum(votesKey, text)
	return votes.Put(votesKey, append(binary.BigEndian.AppendUint32(nil, sum), text...))
}

func getVotes(votes *bbolt.Bucket) (map[string][]byte, error) {
	return decodeVotes(votes.Get(votesKey))
}

func decodeVotes(value []byte) (map[string][]byte, error) {
	if len(value) < 4 || binary.BigEndian.Uint32(value) != checksum(votesKey, value[4:]) {
		return nil, fmt.Errorf("%w: the votes are not what was written", ErrDamaged)
	}
	var all map[string][]byte
	if err := json.Unmarshal(value[4:], &all); err != nil {
		return nil, fmt.Errorf("%w: the votes: %w", ErrDamaged, err)
	}
	return all, nil
}
