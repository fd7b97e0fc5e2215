package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// generation is one folder of Badger files. Importing a snapshot makes a new one;
// the old one goes when its last view closes.
type generation struct {
	dir  string
	db   *badger.DB
	refs int // the State's own and the views'; guarded by State.mu

	aside string // where it goes when it was replaced; "": nowhere. Guarded by State.mu.

	// The cleaner's own: below these there is nothing left to remove.
	recordsCleaned tuple.Revision
	digestsCleaned tuple.Revision
}

const (
	currentFile      = "CURRENT"
	generationPrefix = "data-"
)

// memTableBytes is small, so that flushes are short and a restart replays little.
const memTableBytes = 16 << 20

func openGeneration(dir string, log *slog.Logger) (*generation, error) {
	path := filepath.Join(dir, "badger")
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	o := badger.DefaultOptions(path)
	o.Logger = badgerLog{log}
	o.SyncWrites = false      // the Raft log is durable; see Persist
	o.DetectConflicts = false // its list grows without end in managed mode
	o.NumVersionsToKeep = math.MaxInt
	o.ChecksumVerificationMode = options.NoVerification // a damaged block would read as not found; checkTables looks before
	o.MemTableSize = memTableBytes
	o.NumMemtables = 3
	o.ValueThreshold = 1 << 20 // above every value: the value log stays empty
	o.ValueLogFileSize = 16 << 20
	o.Compression = options.None
	o.BlockCacheSize = 0
	o.MetricsEnabled = false
	if err := checkTables(o); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	var db *badger.DB
	err := guard(func() (err error) {
		db, err = badger.OpenManaged(o)
		return err
	})
	if err != nil && !unfit(err) && !errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &generation{dir: dir, db: db, refs: 1}, nil
}

// guard turns a panic of Badger over damaged files into an error, also where a
// memory map is longer than its file.
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: Badger: %v", ErrCorrupt, p)
		}
	}()
	return do()
}

func (g *generation) close() error { return guard(g.db.Close) }

// unfit says that Badger could not open its files for a reason that is no damage.
func unfit(err error) bool {
	for _, cause := range []error{fs.ErrPermission, syscall.ENOSPC, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EROFS} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return strings.Contains(err.Error(), "directory lock") // another process has them open
}

// SetAside moves a state that does not open to another folder, so that an empty
// one can be opened in its place.
func SetAside(dir, aside string) error {
	if err := os.Rename(dir, aside); err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(dir))
}

// badgerLog passes on what operators should know.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) Errorf(f string, a ...any)   { l.log.Error(line(f, a)) }
func (l badgerLog) Warningf(f string, a ...any) { l.log.Warn(line(f, a)) }
func (l badgerLog) Infof(f string, a ...any)    { l.log.Debug(line(f, a)) }
func (l badgerLog) Debugf(string, ...any)       {}

func line(f string, a []any) string { return "badger: " + strings.TrimSpace(fmt.Sprintf(f, a...)) }

// currentGeneration returns the folder that CURRENT names, and makes the first
// one where there is none. Folders that an interrupted import left go away.
func currentGeneration(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	there, err := generations(dir)
	if err != nil {
		return "", err
	}
	text, err := disk.ReadSummed(filepath.Join(dir, currentFile))
	if errors.Is(err, fs.ErrNotExist) && len(there) == 0 {
		if err := switchGeneration(dir, generationPrefix+"1"); err != nil {
			return "", err
		}
		return filepath.Join(dir, generationPrefix+"1"), nil
	}
	if err != nil {
		return "", fmt.Errorf("%w: the file that names the folder in force: %w", ErrCorrupt, err)
	}
	name := strings.TrimSpace(string(text))
	_, err = generationNumber(name)
	if err != nil || len(there) > 0 && !slices.Contains(there, name) { // or what is there would be removed
		return "", fmt.Errorf("%w: %s in %s names no folder of this state: %q", ErrCorrupt, currentFile, dir, name)
	}
	for _, other := range there {
		if other == name {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, other)); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), nil
}

// generations lists the folders of a state.
func generations(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := generationNumber(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func generationNumber(name string) (int, error) {
	digits, ok := strings.CutPrefix(name, generationPrefix)
	if !ok {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(digits)
}

// nextGeneration returns the folder after the present one.
func nextGeneration(dir string) (string, error) {
	n, err := generationNumber(filepath.Base(dir))
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(dir), generationPrefix+strconv.Itoa(n+1)), nil
}

// switchGeneration makes CURRENT name a folder, for good when it returns.
func switchGeneration(dir, name string) error {
	return disk.ReplaceSummed(filepath.Join(dir, currentFile), []byte(name))
}

// release lets go of a generation and of what was pinned of it, and closes it with
// the last. The caller does not hold mu.
func (s *State) release(g *generation, pinned ...tuple.Revision) error {
	s.mu.Lock()
	for _, rev := range pinned {
		s.unpin(rev)
	}
	g.refs--
	last, replaced, aside := g.refs == 0, g != s.gen, g.aside
	s.mu.Unlock()
	if !last {
		return nil
	}
	err := g.close()
	switch {
	case aside != "": // it was damaged, so that it need not close well
		err = os.Rename(g.dir, aside)
	case replaced: // by an import
		err = errors.Join(err, os.RemoveAll(g.dir))
	}
	if err != nil {
		s.log.Error("closing the files of the state", "folder", g.dir, "error", err)
	}
	return err
}
