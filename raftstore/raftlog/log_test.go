package raftlog_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/raftlog"
)

func open(t *testing.T, o raftlog.Options) *raftlog.Log {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "log.db")
	}
	o.NoSync = true
	l, err := raftlog.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// fill appends entries first to last of a term, with data of a size.
func fill(t *testing.T, l *raftlog.Log, first, last, term uint64, size int) {
	t.Helper()
	var batch []*raft.Log
	for i := first; i <= last; i++ {
		batch = append(batch, &raft.Log{Index: i, Term: term, Data: make([]byte, size)})
	}
	if err := l.StoreLogs(batch); err != nil {
		t.Fatal(err)
	}
}

func bounds(t *testing.T, l *raftlog.Log) [2]uint64 {
	t.Helper()
	first, err := l.FirstIndex()
	if err != nil {
		t.Fatal(err)
	}
	last, err := l.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	return [2]uint64{first, last}
}

func TestDeletePrefixLeavesRoomForAppends(t *testing.T) {
	l := open(t, raftlog.Options{})
	fill(t, l, 1, 30_000, 1, 10)
	var appended sync.WaitGroup
	appended.Go(func() {
		for i := uint64(30_001); i <= 30_020; i++ {
			if err := l.StoreLog(&raft.Log{Index: i, Term: 1}); err != nil {
				t.Error(err)
			}
		}
	})
	l.SetSnapshot(29_000, 1)
	if err := l.DeleteRange(1, 29_000); err != nil {
		t.Fatal(err)
	}
	appended.Wait()
	if got, want := bounds(t, l), [2]uint64{29_001, 30_020}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

// What only the log holds durably stays, whoever asks.
func TestDeletePrefixStopsAtSnapshot(t *testing.T) {
	l := open(t, raftlog.Options{})
	fill(t, l, 1, 100, 1, 10)
	for _, snapshot := range []uint64{0, 49} {
		l.SetSnapshot(snapshot, 1)
		if err := l.DeleteRange(1, 50); err == nil {
			t.Errorf("entries behind the snapshot of index %d were deleted", snapshot)
		}
	}
	if got, want := bounds(t, l), [2]uint64{1, 100}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

func TestDeletePrefixKeepsTrailingBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	const size = 1000
	l := open(t, raftlog.Options{Path: path, TrailingBytes: 500 * size})
	fill(t, l, 1, 2000, 1, size)
	l.SetSnapshot(1990, 1)
	if err := l.DeleteRange(1, 1990); err != nil {
		t.Fatal(err)
	}
	got := bounds(t, l)
	if kept := got[1] - got[0] + 1; kept < 470 || kept > 1000 {
		t.Errorf("%d entries of %d bytes stayed, want about 500", kept, size)
	}
	before := l.Bytes()
	if before < 500*size || before > 1000*size {
		t.Errorf("the log says that it holds %d bytes", before)
	}
	l.Close()
	again := open(t, raftlog.Options{Path: path, TrailingBytes: 500 * size})
	if after := again.Bytes(); after < before*9/10 || after > before*11/10 {
		t.Errorf("opened again the log says %d bytes, before it said %d", after, before)
	}
}

func TestDeletePrefixWaitsForHolds(t *testing.T) {
	l := open(t, raftlog.Options{})
	fill(t, l, 1, 100, 1, 10)
	l.SetSnapshot(90, 1)
	release := l.Hold(40)
	if err := l.DeleteRange(1, 90); err != nil {
		t.Fatal(err)
	}
	if got, want := bounds(t, l), [2]uint64{41, 100}; got != want {
		t.Errorf("while held the log holds %v, want %v", got, want)
	}
	release()
	if err := l.DeleteRange(41, 90); err != nil {
		t.Fatal(err)
	}
	if got, want := bounds(t, l), [2]uint64{91, 100}; got != want {
		t.Errorf("released the log holds %v, want %v", got, want)
	}
}

func TestDeleteSuffixIgnoresTrailingBytesAndHolds(t *testing.T) {
	l := open(t, raftlog.Options{TrailingBytes: 1 << 30})
	fill(t, l, 1, 12_000, 1, 10)
	defer l.Hold(5)()
	if err := l.DeleteRange(11, 12_000); err != nil {
		t.Fatal(err)
	}
	if got, want := bounds(t, l), [2]uint64{1, 10}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
	fill(t, l, 11, 20, 2, 10)
	if got, want := bounds(t, l), [2]uint64{1, 20}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

func TestDropContradicted(t *testing.T) {
	for _, c := range []struct {
		name        string
		terms       map[uint64][2]uint64 // term → first and last index
		index, term uint64
		want        bool
	}{
		{"the snapshot's entry is there", map[uint64][2]uint64{1: {1, 50}, 2: {51, 60}}, 50, 1, false},
		{"the log ends before", map[uint64][2]uint64{1: {1, 40}}, 50, 2, false},
		{"the log begins behind", map[uint64][2]uint64{3: {51, 60}}, 50, 3, false},
		{"another term at the index", map[uint64][2]uint64{1: {1, 60}}, 50, 2, true},
		{"an older term behind the index", map[uint64][2]uint64{1: {51, 60}}, 50, 2, true},
		{"no snapshot", map[uint64][2]uint64{1: {1, 60}}, 0, 0, false},
		{"an empty log", nil, 50, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := open(t, raftlog.Options{})
			for term := uint64(1); term <= 3; term++ {
				if r, ok := c.terms[term]; ok {
					fill(t, l, r[0], r[1], term, 1)
				}
			}
			got, err := l.DropContradicted(c.index, c.term)
			if err != nil || got != c.want {
				t.Fatalf("dropped %v (%v), want %v", got, err, c.want)
			}
			if empty := bounds(t, l) == [2]uint64{}; got && !empty {
				t.Errorf("the log still holds %v", bounds(t, l))
			}
		})
	}
}

// TestInstalledSnapshotMakesPeaceWithTail does what Raft's follower does after it
// received a snapshot over an uncommitted tail (hashicorp/raft #697).
func TestInstalledSnapshotMakesPeaceWithTail(t *testing.T) {
	l := open(t, raftlog.Options{TrailingBytes: 1 << 30})
	fill(t, l, 1, 100, 1, 1) // from 41 on nobody else has these
	if err := l.Installed(60, 3); err != nil {
		t.Fatal(err)
	}
	var entry raft.Log
	if err := l.GetLog(60, &entry); err != nil || entry.Term != 3 {
		t.Errorf("at the snapshot's index the log answers term %d (%v), want 3: the entries behind it would be refused for ever", entry.Term, err)
	}
	if err := l.GetLog(59, &entry); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry before the snapshot is still there: %v", err)
	}
	if err := l.GetLog(61, &entry); err != nil || entry.Term != 1 {
		t.Errorf("the tail is gone before Raft replaces it: term %d, %v", entry.Term, err)
	}
	if err := l.DeleteRange(61, 100); err != nil { // Raft finds the conflict
		t.Fatal(err)
	}
	fill(t, l, 61, 70, 3, 1)
	if got, want := bounds(t, l), [2]uint64{61, 70}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

func TestInstalledSnapshotKeepsMatchingLog(t *testing.T) {
	l := open(t, raftlog.Options{})
	fill(t, l, 1, 100, 2, 1)
	if err := l.Installed(60, 2); err != nil {
		t.Fatal(err)
	}
	if got, want := bounds(t, l), [2]uint64{1, 100}; got != want {
		t.Errorf("the log holds %v, want %v", got, want)
	}
}

func TestStableStoreSaysNotFound(t *testing.T) {
	l := open(t, raftlog.Options{})
	if _, err := l.GetUint64([]byte("CurrentTerm")); err == nil || err.Error() != "not found" {
		t.Errorf("Raft asks for an error that reads %q, got %v", "not found", err)
	}
	if err := l.SetUint64([]byte("CurrentTerm"), 7); err != nil {
		t.Fatal(err)
	}
	if got, err := l.GetUint64([]byte("CurrentTerm")); err != nil || got != 7 {
		t.Errorf("got %d, %v", got, err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	open(t, raftlog.Options{Path: path})
	if l, err := raftlog.Open(raftlog.Options{Path: path}); err == nil {
		l.Close()
		t.Fatal("a second opener of the same log was let in")
	}
}

func TestEntriesSurviveReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, raftlog.Options{Path: path})
	for i := uint64(1); i <= 10; i++ {
		if err := l.StoreLog(&raft.Log{Index: i, Term: i, Data: fmt.Append(nil, i), AppendedAt: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	l = open(t, raftlog.Options{Path: path})
	for i := uint64(1); i <= 10; i++ {
		var e raft.Log
		if err := l.GetLog(i, &e); err != nil || e.Term != i || string(e.Data) != fmt.Sprint(i) || e.AppendedAt.Unix() != int64(i) {
			t.Errorf("entry %d: %+v, %v", i, e, err)
		}
	}
}

// Whatever is deleted at either end, the log opens again with the rest.
func TestDeletedEndsOpenAgain(t *testing.T) {
	for _, c := range []struct {
		first, last uint64
		want        [2]uint64
	}{
		{1, 400, [2]uint64{401, 500}}, {300, 500, [2]uint64{1, 299}}, {2, 500, [2]uint64{1, 1}}, {1, 500, [2]uint64{}},
	} {
		t.Run(fmt.Sprint(c.first, " to ", c.last), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.db")
			l := open(t, raftlog.Options{Path: path})
			fill(t, l, 1, 500, 1, 100)
			l.SetSnapshot(500, 1)
			if err := l.DeleteRange(c.first, c.last); err != nil {
				t.Fatal(err)
			}
			l.Close()
			l = open(t, raftlog.Options{Path: path})
			if got := bounds(t, l); got != c.want {
				t.Errorf("the log holds %v, want %v", got, c.want)
			}
			next := c.want[1] + 1
			fill(t, l, next, next+10, 2, 100)
			l.Close()
			open(t, raftlog.Options{Path: path})
		})
	}
}
