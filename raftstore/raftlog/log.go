// Package raftlog keeps the log and the votes of Raft on disk, in bbolt. Every entry
// has a checksum, and a file that is not what was written does not open. Prefixes are
// deleted in bounded transactions and only as far as enough bytes stay behind; a
// write that hangs is reported; and a log that contradicts a snapshot does not keep
// its node from ever catching up.
//
// Call Open first. *Log is a raft.LogStore and a raft.StableStore.
package raftlog

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// deleteBatch is how many entries one transaction deletes at most: 1.1 million in
// one blocked a write for over a second, since bbolt has one writer. With 1,000 the
// 99th percentile of appends beside a compaction is a third of that with 5,000.
const deleteBatch = 1000

// Options says how a log is kept.
type Options struct {
	Path string // the file; created when it is missing

	// TrailingBytes is how many bytes of entries stay when a prefix is deleted: the
	// deletion stops where less would stay. 0 or less deletes what is asked for.
	TrailingBytes int64

	// StallTimeout is how long StoreLogs may take before Stalled is called. 0 never.
	StallTimeout time.Duration

	// Stalled is called with true when a write has taken longer than StallTimeout,
	// and with false when it has ended after all. It runs on a goroutine of the log's
	// and must not block. nil: nobody is told.
	Stalled func(bool)

	// Storing is called before every append, within what StallTimeout measures. nil:
	// nothing is. Tests make a disk of it that hangs.
	Storing func()

	// Damaged is called when an entry that is read is not what was written. nil:
	// nobody is told.
	Damaged func(error)

	// NoSync leaves out the fsync: a power loss loses what was acknowledged.
	NoSync bool
}

// Log is a raft.LogStore and raft.StableStore. All methods may be called from
// several goroutines, as Raft does.
type Log struct {
	bolt          *store
	trailingBytes int64
	watch         *watchdog
	storing       func()
	damaged       func(error)

	mu       sync.Mutex // guards what follows; never held during disk access
	sizes    sizes
	holds    map[*hold]struct{}
	snapshot raft.Log // Index and Term of the snapshot in force; zero: none
}

type hold struct{ index uint64 }

// Open opens or creates the log at a path. It fails within a second when another
// process has it open.
func Open(o Options) (*Log, error) {
	bolt, err := openStore(o.Path, o.NoSync)
	if err != nil {
		return nil, fmt.Errorf("open the log %s (does another process use it?): %w", o.Path, err)
	}
	l := &Log{
		bolt:          bolt,
		trailingBytes: o.TrailingBytes,
		watch:         newWatchdog(o.StallTimeout, o.Stalled),
		storing:       o.Storing,
		damaged:       o.Damaged,
		holds:         map[*hold]struct{}{},
	}
	if err := l.measure(); err != nil {
		return nil, errors.Join(err, bolt.Close())
	}
	return l, nil
}

// Close waits for the watchdog and closes the file.
func (l *Log) Close() error {
	l.watch.stop()
	return l.bolt.Close()
}

// FirstIndex returns the oldest index, 0 for an empty log.
func (l *Log) FirstIndex() (uint64, error) { return l.bolt.FirstIndex() }

// LastIndex returns the newest index, 0 for an empty log.
func (l *Log) LastIndex() (uint64, error) { return l.bolt.LastIndex() }

// GetLog reads one entry. Where the snapshot's own entry is not held, it answers
// an empty one with the snapshot's term, which is all that Raft asks there; see
// Installed. It is never sent to a follower: the entry before it is not held either. It does not return
// where the entry is damaged and Options.Damaged was told.
func (l *Log) GetLog(index uint64, entry *raft.Log) error {
	err := l.bolt.GetLog(index, entry)
	if errors.Is(err, ErrDamaged) && l.damaged != nil {
		l.damaged(err)
		select {} // Raft would end the process; the node halts instead, and this goroutine is what it costs
	}
	if !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if index == 0 || index != l.snapshot.Index {
		return err
	}
	*entry = raft.Log{Index: index, Term: l.snapshot.Term, Type: raft.LogNoop}
	return nil
}

// StoreLog appends one entry durably.
func (l *Log) StoreLog(entry *raft.Log) error { return l.StoreLogs([]*raft.Log{entry}) }

// StoreLogs appends entries durably, all of them or none.
func (l *Log) StoreLogs(entries []*raft.Log) error {
	l.watch.begin()
	if l.storing != nil {
		l.storing()
	}
	err := l.bolt.StoreLogs(entries)
	l.watch.end()
	if err != nil {
		return fmt.Errorf("append %d entries to the log: %w", len(entries), err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.sizes.append(e.Index, int64(len(e.Data)+len(e.Extensions)+entryOverhead))
	}
	return nil
}

// DeleteRange deletes the entries from first to last, both included, in bounded
// transactions with room for appends in between.
//
// A prefix, which is what compaction deletes, is refused beyond the snapshot in
// force (SetSnapshot): behind it nothing else has the entries durably. It is cut only
// as far as Options.TrailingBytes and Hold allow; the rest goes with a later call. It is
// deleted upwards and a suffix downwards, so that a crash in between leaves no
// gap.
func (l *Log) DeleteRange(first, last uint64) error {
	oldest, err := l.bolt.FirstIndex()
	if err != nil {
		return err
	}
	newest, err := l.bolt.LastIndex()
	if err != nil {
		return err
	}
	if oldest == 0 {
		return nil
	}
	first, last = max(first, oldest), min(last, newest)
	if first == oldest && last < newest {
		snapshot, limit := l.prefixLimit()
		if last > snapshot {
			return fmt.Errorf("the log may be deleted up to the snapshot of index %d, which is durable, and not up to %d", snapshot, last)
		}
		return l.deleteUpwards(first, min(last, limit))
	}
	return l.deleteDownwards(first, last)
}

func (l *Log) deleteUpwards(first, last uint64) error {
	for first <= last {
		end := min(last, first+deleteBatch-1)
		if err := l.bolt.DeleteRange(first, end); err != nil {
			return fmt.Errorf("delete the log's entries %d to %d: %w", first, end, err)
		}
		l.mu.Lock()
		l.sizes.cutPrefix(end)
		l.mu.Unlock()
		first = end + 1
	}
	return nil
}

func (l *Log) deleteDownwards(first, last uint64) error {
	for first <= last {
		begin := first
		if last-first >= deleteBatch {
			begin = last - deleteBatch + 1
		}
		if err := l.bolt.DeleteRange(begin, last); err != nil {
			return fmt.Errorf("delete the log's entries %d to %d: %w", begin, last, err)
		}
		l.mu.Lock()
		l.sizes.cutSuffix(begin)
		l.mu.Unlock()
		last = begin - 1
	}
	return nil
}

// prefixLimit returns the index of the snapshot in force, and the highest one that
// compaction may delete now.
func (l *Log) prefixLimit() (snapshot, limit uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit = l.sizes.before(l.trailingBytes)
	for h := range l.holds {
		limit = min(limit, h.index)
	}
	return l.snapshot.Index, limit
}

// Hold keeps every entry after index from compaction until the returned function
// is called: a follower that receives a snapshot of index needs them next.
func (l *Log) Hold(index uint64) (release func()) {
	h := &hold{index}
	l.mu.Lock()
	l.holds[h] = struct{}{}
	l.mu.Unlock()
	return func() {
		l.mu.Lock()
		delete(l.holds, h)
		l.mu.Unlock()
	}
}

// Bytes returns about how many bytes of entries the log holds. The file is larger
// and never shrinks.
func (l *Log) Bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sizes.total()
}

// Set, Get, SetUint64 and GetUint64 are raft.StableStore.
func (l *Log) Set(key, value []byte) error { return l.bolt.Set(key, value) }

// Get returns the value of a key, or an error that reads "not found".
func (l *Log) Get(key []byte) ([]byte, error) { return l.bolt.Get(key) }

// SetUint64 stores a number.
func (l *Log) SetUint64(key []byte, value uint64) error { return l.bolt.SetUint64(key, value) }

// GetUint64 returns a number, or an error that reads "not found".
func (l *Log) GetUint64(key []byte) (uint64, error) { return l.bolt.GetUint64(key) }
