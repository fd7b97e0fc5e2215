package state

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Errors of Import. Where it fails, the state is what it was.
var (
	ErrStream = errors.New("the stream is no snapshot, is cut short or damaged")
	ErrDisk   = errors.New("the disk has too little room for the snapshot beside what is there")
)

// Import replaces the state by a snapshot: into a new folder, verified at its
// head and at its floor, made durable, and switched to at once. Views that are
// open go on in the old folder, which goes with the last of them. What follows
// the snapshot in the reader is left there.
func (s *State) Import(r io.Reader) error { return s.Replace(r, "") }

// Replace is Import; what was there before is moved to the folder aside as soon as
// it is no longer read, where there is one named, instead of being removed.
func (s *State) Replace(r io.Reader, aside string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.RLock()
	closed, present, before := s.closed, s.gen.dir, s.gen
	s.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	dir, err := nextGeneration(present)
	if err != nil {
		return err
	}
	l, err := s.receive(dir, r)
	if err != nil {
		return errors.Join(fmt.Errorf("importing a snapshot: %w", err), os.RemoveAll(dir))
	}
	s.persisting.Lock()
	defer s.persisting.Unlock()
	if err := switchGeneration(s.options.Dir, filepath.Base(dir)); err != nil {
		l.gen.db.Close()
		return errors.Join(err, os.RemoveAll(dir))
	}
	s.mu.Lock()
	before.aside = aside
	s.mu.Unlock()
	return s.release(s.adopt(l))
}

// receive fills a folder from a stream and verifies it.
func (s *State) receive(dir string, r io.Reader) (l *loaded, err error) {
	in := &streamReader{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	head, err := in.header()
	if err != nil {
		return nil, err
	}
	if err := roomFor(filepath.Dir(dir), head.bytes); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	g, err := openGeneration(dir, s.log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			g.db.Close()
		}
	}()
	marks, err := in.fill(g.db)
	if err != nil {
		return nil, err
	}
	if err := g.persist(durable{Index: head.index, Term: head.term, Floor: head.floor, Boot: s.options.Boot}); err != nil {
		return nil, err
	}
	l = &loaded{gen: g}
	if err := l.read(s.options.Boot); err != nil {
		return nil, err
	}
	return l, l.verify(head, marks)
}

type streamHeader struct {
	index, term uint64
	floor       tuple.Revision
	bytes       uint64
}

func (r *streamReader) header() (streamHeader, error) {
	b, err := r.read(len(streamMagic) + 1 + 4*8)
	if err != nil {
		return streamHeader{}, fmt.Errorf("%w: %w", ErrStream, err)
	}
	if string(b[:len(streamMagic)]) != streamMagic || b[len(streamMagic)] != streamVersion {
		return streamHeader{}, fmt.Errorf("%w: it begins otherwise", ErrStream)
	}
	f := fields{b: b[len(streamMagic)+1:]}
	return streamHeader{index: f.u64(), term: f.u64(), floor: tuple.Revision(f.u64()), bytes: f.u64()}, f.err
}

// fill writes the frames to Badger, and reads the trailer and the checksum.
func (r *streamReader) fill(db *badger.DB) ([]mark, error) {
	w := db.NewManagedWriteBatch()
	defer w.Cancel()
	marks, err := r.frames(func(b []byte) error { return putFrame(w, b) })
	if err != nil {
		return nil, err
	}
	return marks, w.Flush()
}

// frames visits the frames up to the end, and reads the trailer and the checksum.
func (r *streamReader) frames(visit func(b []byte) error) ([]mark, error) {
	count := uint64(0)
	for {
		b, err := r.next(maxFrame)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStream, err)
		}
		if len(b) == 0 {
			break
		}
		count++
		if err := visit(b); err != nil {
			return nil, err
		}
	}
	trailer, err := r.next(math.MaxInt32)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStream, err)
	}
	marks, frames, err := decodeMarks(trailer)
	if err != nil || frames != count {
		return nil, fmt.Errorf("%w: %d frames came of %d", ErrStream, count, frames)
	}
	var sum [sha256.Size]byte
	if _, err := io.ReadFull(r.r, sum[:]); err != nil || !bytes.Equal(sum[:], r.sum.Sum(nil)) {
		return nil, fmt.Errorf("%w: its checksum differs", ErrStream)
	}
	return marks, nil
}

// frame is a version of a key, or its removal.
type frame struct {
	removed    bool
	version    uint64
	key, value []byte
}

func parseFrame(b []byte) (frame, error) {
	f := fields{b: b}
	kind, version, key := f.byte(), f.uint(), f.bytes()
	if f.err != nil || kind > frameRemoved || version == 0 || len(key) == 0 {
		return frame{}, fmt.Errorf("%w: a frame is damaged", ErrStream)
	}
	return frame{removed: kind == frameRemoved, version: version, key: key, value: f.b}, nil
}

func putFrame(w *badger.WriteBatch, b []byte) error {
	f, err := parseFrame(b)
	if err != nil {
		return err
	}
	key := bytes.Clone(f.key)
	if f.removed {
		return w.DeleteAt(key, f.version)
	}
	return w.SetEntryAt(badger.NewEntry(key, bytes.Clone(f.value)).WithDiscard(), f.version)
}

// roomFor refuses a snapshot that would not fit the disk: writing to a full disk
// through a memory map ends the process.
func roomFor(dir string, bytes uint64) error {
	free, err := disk.Free(dir)
	if err != nil {
		return err
	}
	if need := bytes + bytes/4; uint64(free) < need {
		return fmt.Errorf("%w: %d bytes are free, %d are needed", ErrDisk, free, need)
	}
	return nil
}

// verify compares what was received with what the sender's apply holds in memory
// (load has compared it with its own records), and recounts at the floor.
func (l *loaded) verify(head streamHeader, marks []mark) error {
	w := &l.working
	if uint64(w.index) != head.index || w.term != head.term || w.floor != head.floor || len(marks) != len(w.byName) {
		return fmt.Errorf("%w: it is not at the revision that it announced", ErrStream)
	}
	for _, m := range marks {
		st := w.byID[m.Store]
		if st == nil || st.stats.Digest != m.Digest || st.stats.Live != m.Live || st.stats.Quarantined != m.Quarantined {
			return fmt.Errorf("%w: store %d differs from the sender's", ErrCorrupt, m.Store)
		}
	}
	txn := l.gen.db.NewTransactionAt(uint64(w.floor), false)
	defer txn.Discard()
	for _, st := range w.byID {
		if !st.existsAt(w.floor) {
			continue
		}
		kept, err := loadStats(txn, st.id, w.floor)
		if err != nil {
			return err
		}
		if err := st.verify(txn, kept); err != nil {
			return fmt.Errorf("store %q at the floor: %w", st.name, err)
		}
	}
	return nil
}
