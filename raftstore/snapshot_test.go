package raftstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// compacting makes a node drop its log as soon as it may.
func compacting(config *raftstore.Config) {
	config.SnapshotEntries, config.SnapshotInterval = 20, 10*time.Millisecond
	config.TrailingEntries, config.TrailingBytes = 5, -1
}

// compact waits until a node has dropped the entry at an index.
func compact(t *testing.T, n *raftstore.Node, index uint64) {
	t.Helper()
	eventually(t, func() error {
		if first := n.Status().LogFirst; first <= index {
			return fmt.Errorf("the log still begins at %d", first)
		}
		return nil
	})
}

// fill writes tuples one by one and returns the last one's revision.
func fill(t *testing.T, n *raftstore.Node, store, document string, count int) raftstore.WriteResult {
	t.Helper()
	var last raftstore.WriteResult
	for i := range count {
		last = write(t, n, store, change(command.Create, viewer(document, fmt.Sprint(i))))
	}
	return last
}

func TestSnapshotBringsHistoryToLaggingAndFreshNodes(t *testing.T) {
	c := startCluster(t, 3, compacting)
	putStore(t, c.nodes[0], "s")
	lagging := c.follower()
	fill(t, c.nodes[lagging], "s", "before", 10)
	c.stop(lagging)
	leader := c.nodes[c.leader()]
	past := fill(t, leader, "s", "past", 30)
	write(t, leader, "s", change(command.Delete, viewer("past", "7")))
	now := fill(t, leader, "s", "after", 100)
	for _, n := range c.nodes {
		if n != nil {
			compact(t, n, uint64(now.Revision)-90)
		}
	}
	want := keys(t, leader, "s", raftstore.FullyConsistent())
	wantPast := keys(t, leader, "s", raftstore.AtExactSnapshot(past.Revision))
	c.start(lagging)
	c.configs = append(c.configs, raftstore.Config{Dir: t.TempDir(), ListenAddr: freeAddress(t), Join: []string{c.configs[lagging].ListenAddr}})
	c.nodes = append(c.nodes, nil)
	c.start(3)
	c.waitMembers(4)
	for _, i := range []int{lagging, 3} {
		if got := keys(t, c.nodes[i], "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
			t.Errorf("node %d has %d tuples, the leader %d", i, len(got), len(want))
		}
		if got := keys(t, c.nodes[i], "s", raftstore.AtExactSnapshot(past.Revision)); !slices.Equal(got, wantPast) {
			t.Errorf("node %d had %d tuples at a past revision, the leader %d", i, len(got), len(wantPast))
		}
	}
	more := fill(t, c.nodes[3], "s", "more", 20)
	for i, n := range c.nodes {
		if got := keys(t, n, "s", raftstore.AtLeastAsFresh(more.Revision)); len(got) != len(want)+20 {
			t.Errorf("node %d has %d tuples, want %d", i, len(got), len(want)+20)
		}
	}
	c.stop(3) // and once more from its own disk
	if got := keys(t, c.start(3), "s", raftstore.FullyConsistent()); len(got) != len(want)+20 {
		t.Errorf("restarted, the joined node has %d tuples, want %d", len(got), len(want)+20)
	}
}

// TestExLeaderWithTailCatchesUp is hashicorp/raft #697: a leader that was cut off
// has entries of its own that nobody committed, while its successor has made a
// snapshot behind them.
func TestExLeaderWithTailCatchesUp(t *testing.T) {
	c := startCluster(t, 3, compacting)
	putStore(t, c.nodes[0], "s")
	cut := c.leader()
	old := c.nodes[cut]
	old.Isolate(true)
	before := old.Status().LogLast
	if err := old.Append(400); err != nil {
		t.Fatal(err)
	}
	tail := old.Status().LogLast
	other := c.nodes[(cut+1)%3]
	eventually(t, func() error {
		if s := other.Status(); s.Leader.ID == "" || s.Leader.ID == old.Status().NodeID {
			return errors.New("no other leader yet")
		}
		return nil
	})
	last := fill(t, other, "s", "others", 60)
	compact(t, other, before)
	compact(t, c.nodes[(cut+2)%3], before)
	if now := uint64(last.Revision); now > tail {
		t.Fatalf("the others are at %d, past the tail that ends at %d: this tries nothing", now, tail)
	}
	old.Isolate(false)
	want := keys(t, other, "s", raftstore.FullyConsistent())
	if got := keys(t, old, "s", raftstore.AtLeastAsFresh(last.Revision)); !slices.Equal(got, want) {
		t.Errorf("the former leader has %d tuples, its successor %d", len(got), len(want))
	}
	fill(t, old, "s", "again", 5)
	eventually(t, func() error { // snapshot after snapshot would hide that no entry is taken
		if ours, theirs := old.Status().LogLast, other.Status().LogLast; ours != theirs {
			return fmt.Errorf("the former leader's log ends at %d, its successor's at %d", ours, theirs)
		}
		return nil
	})
}

func TestStateDecidesWhatIsReplayed(t *testing.T) {
	dir := t.TempDir()
	config := raftstore.Config{Dir: dir}
	n := openNode(t, config)
	putStore(t, n, "s")
	fill(t, n, "s", "d", 30)
	want := keys(t, n, "s", raftstore.FullyConsistent())
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	n = openNode(t, config) // the whole log is there: all of it is replayed
	if got := keys(t, n, "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
		t.Errorf("replayed, the store has %d tuples, want %d", len(got), len(want))
	}
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "state")); err != nil {
		t.Fatal(err)
	}
	if n, err := raftstore.Open(t.Context(), config); err == nil {
		n.Close()
		t.Error("a node whose state is gone, with a log that may be compacted, came up empty")
	}
}

func TestStateWithoutLogIsRefused(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, raftstore.Config{Dir: dir})
	putStore(t, n, "s")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "raft")); err != nil {
		t.Fatal(err)
	}
	if _, err := raftstore.Open(t.Context(), raftstore.Config{Dir: dir}); !errors.Is(err, raftstore.ErrExistingState) {
		t.Errorf("got %v: a second cluster would begin in the first one's data", err)
	}
}

func TestHaltedNodeStopsServingAndTheOthersGoOn(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	leader := c.leader()
	n := c.nodes[leader]
	n.Fail(errors.New("the disk is gone"))
	if _, err := n.View(t.Context(), "s", raftstore.MinimizeLatency()); !errors.Is(err, raftstore.ErrHalted) {
		t.Errorf("a halted node reads: %v", err)
	}
	if _, err := n.Write(t.Context(), "s", change(command.Create, viewer("d", "u"))); !errors.Is(err, raftstore.ErrHalted) {
		t.Errorf("a halted node writes: %v", err)
	}
	if s := n.Status(); s.Ready || s.Fault == nil {
		t.Errorf("a halted node says %+v", s)
	}
	fill(t, c.nodes[(leader+1)%3], "s", "d", 5)
}
