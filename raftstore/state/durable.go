package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// durable is the file that says what survives a loss of power. Badger's commits
// are not synced one by one, and its memtables rotate unsynced: after a loss of
// power there may be a hole below the last commit, not only a lost tail.
type durable struct {
	Index uint64 `json:"index"` // everything up to this entry is on disk
	Term  uint64 `json:"term"`
	// Floor is the history floor at Index. Nothing that it needs may be removed,
	// even if the floor has moved since: a replay begins with this one.
	Floor tuple.Revision `json:"floor"`
	// Boot is the system's boot in which this was written. As long as it runs,
	// nothing that was committed is lost, not even by kill -9.
	Boot string `json:"boot"`
	// Suspect: entries after Index up to this one stem from an earlier boot and
	// may have holes. They are replayed, whatever is there.
	Suspect uint64 `json:"suspect,omitzero"`
}

const durableFile = "durable"

func readDurable(dir string) (durable, error) {
	var d durable
	text, err := disk.ReadSummed(filepath.Join(dir, durableFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return d, fmt.Errorf("%w: the file that says what is durable: %w", ErrCorrupt, err)
	}
	return d, nil
}

func (d durable) write(dir string) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return disk.ReplaceSummed(filepath.Join(dir, durableFile), text)
}

// bootID names this boot of the system; "" where it cannot be told, and then
// nothing but the durable file is trusted at start.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// resume says behind which entry to go on: the last one where its boot still
// runs, else the durable one. suspect is the last entry whose keys may have holes.
func (d durable) resume(boot string, last uint64) (index, suspect uint64) {
	if boot != "" && d.Boot == boot && d.Suspect <= d.Index {
		return max(last, d.Index), 0
	}
	return d.Index, max(d.Suspect, last)
}

// Durable returns index and term of the last entry that survives a loss of power.
func (s *State) Durable() (index, term uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.durable.Index, s.durable.Term
}

// Persist makes everything up to Applied survive a loss of power, and Durable
// say so. Raft may compact its log up to there, and no further.
func (s *State) Persist() error {
	s.persisting.Lock()
	defer s.persisting.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	g := s.gen
	g.refs++
	d := durable{Index: uint64(s.head.revision), Term: s.head.term, Floor: s.head.floor, Boot: s.options.Boot, Suspect: s.suspect}
	s.mu.Unlock()
	err := g.persist(d)
	s.mu.Lock()
	if err == nil && g == s.gen {
		s.durable = d
		s.discard()
		s.soil()
	}
	s.mu.Unlock()
	return errors.Join(err, s.release(g))
}

func (g *generation) persist(d durable) error {
	if err := g.db.Sync(); err != nil {
		return fmt.Errorf("syncing Badger: %w", err)
	}
	if err := disk.SyncTree(g.dir); err != nil {
		return fmt.Errorf("syncing %s: %w", g.dir, err)
	}
	if d.Suspect <= d.Index {
		d.Suspect = 0
	}
	return d.write(g.dir)
}

// removable returns the revision below which nothing is needed: not by the
// history that can be read, not by a replay after a loss of power, not by an open
// view. The caller holds mu.
func (s *State) removable() tuple.Revision {
	to := s.durable.Floor
	for pinned := range s.pins {
		to = min(to, pinned)
	}
	return to
}

// discard tells Badger which old versions may go. The caller holds mu.
func (s *State) discard() {
	if to := s.removable(); to > s.discarded {
		s.discarded = to
		s.gen.db.SetDiscardTs(uint64(to))
	}
}
