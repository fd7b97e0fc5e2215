package raftstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func TestSingleNodeKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, raftstore.Config{Dir: dir})
	putStore(t, n, "s")
	var want []string
	for i := range 20 {
		tup := viewer(fmt.Sprint("d", i), "ana")
		if _, err := n.Write(withPatience(t), "s", change(command.Create, tup)); err != nil {
			t.Fatal(err)
		}
		want = append(want, tup.Key.String())
	}
	slices.Sort(want)
	before := n.Status()
	for range 3 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n = openNode(t, raftstore.Config{Dir: dir})
		if got := keys(t, n, "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
			t.Fatalf("after a restart the store has %d tuples, want %d", len(got), len(want))
		}
	}
	after := n.Status()
	if after.NodeID != before.NodeID || after.ClusterID != before.ClusterID || after.ClusterID == "" {
		t.Errorf("the node was %s of cluster %s, now it is %s of %s", before.NodeID, before.ClusterID, after.NodeID, after.ClusterID)
	}
}

func TestConcurrentWritesShareEntries(t *testing.T) {
	n := openNode(t, raftstore.Config{})
	putStore(t, n, "s")
	before := n.Status().LogLast
	const writers, each = 32, 20
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for i := range each {
				r, err := n.Write(t.Context(), "s", change(command.Create, viewer(fmt.Sprint(w), fmt.Sprint(i))))
				if err != nil || r.Created != 1 {
					t.Errorf("write: %+v, %v", r, err)
				}
			}
		})
	}
	work.Wait()
	if got := len(keys(t, n, "s", raftstore.MinimizeLatency())); got != writers*each {
		t.Errorf("%d tuples, want %d", got, writers*each)
	}
	if entries := n.Status().LogLast - before; entries >= writers*each {
		t.Errorf("%d concurrent writes took %d entries, want fewer", writers*each, entries)
	}
}

func TestRejectionsAreSingle(t *testing.T) {
	n := openNode(t, raftstore.Config{})
	putStore(t, n, "s")
	var work sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for range 16 {
		work.Go(func() {
			_, err := n.Write(t.Context(), "s", change(command.Create, viewer("one", "ana")))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				accepted++
			case !errors.Is(err, &raftstore.Rejection{Code: command.CodeTupleExists}):
				t.Errorf("got %v, want tuple_exists", err)
			}
		})
	}
	work.Wait()
	if accepted != 1 {
		t.Errorf("%d creations of one tuple were accepted, want 1", accepted)
	}
}

func TestRequestsOfAMissingStoreAreRejected(t *testing.T) {
	n := openNode(t, raftstore.Config{})
	want := &raftstore.Rejection{Code: command.CodeStoreNotFound}
	if _, err := n.Write(withPatience(t), "nowhere", change(command.Touch, viewer("d", "u"))); !errors.Is(err, want) {
		t.Errorf("write: %v", err)
	}
	if _, err := n.View(withPatience(t), "nowhere", raftstore.FullyConsistent()); !errors.Is(err, want) {
		t.Errorf("view: %v", err)
	}
}

func TestTokens(t *testing.T) {
	n, other := openNode(t, raftstore.Config{}), openNode(t, raftstore.Config{})
	putStore(t, n, "s")
	r, err := n.Write(withPatience(t), "s", change(command.Touch, viewer("d", "u")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := n.ParseToken(r.Token); err != nil || got != r.Revision {
		t.Errorf("the token of revision %d reads %d, %v", r.Revision, got, err)
	}
	if _, err := other.ParseToken(r.Token); !errors.Is(err, raftstore.ErrTokenOtherCluster) {
		t.Errorf("another cluster says %v", err)
	}
	for i := range len(r.Token) {
		forged := []byte(r.Token)
		forged[i] ^= 1
		for _, text := range []tuple.Token{tuple.Token(forged), r.Token[:i], r.Token[:i] + "A" + r.Token[i:]} {
			if rev, err := n.ParseToken(text); err == nil {
				t.Errorf("the forged token %s reads %d", text, rev)
			}
		}
	}
	ahead, err := n.Token(r.Revision + 1000)
	if err != nil {
		t.Fatal(err)
	}
	rev, err := n.ParseToken(ahead)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]raftstore.Consistency{"fresh": raftstore.AtLeastAsFresh(rev), "exact": raftstore.AtExactSnapshot(rev)} {
		if _, err := n.View(withPatience(t), "s", c); !errors.Is(err, raftstore.ErrTokenAhead) {
			t.Errorf("%s: a token ahead of the log gives %v", name, err)
		}
	}
}

func TestClosedNodeSaysSo(t *testing.T) {
	n := openNode(t, raftstore.Config{})
	putStore(t, n, "s")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Write(t.Context(), "s", change(command.Touch, viewer("d", "u"))); !errors.Is(err, raftstore.ErrClosed) {
		t.Errorf("write: %v", err)
	}
	if _, err := n.View(t.Context(), "s", raftstore.MinimizeLatency()); !errors.Is(err, raftstore.ErrClosed) {
		t.Errorf("view: %v", err)
	}
	if n.Ready() {
		t.Error("a closed node is ready")
	}
	if err := n.WaitReady(t.Context()); !errors.Is(err, raftstore.ErrClosed) {
		t.Errorf("wait: %v", err)
	}
}

func TestCancelledWriteNeverSaysDone(t *testing.T) {
	n := openNode(t, raftstore.Config{})
	putStore(t, n, "s")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Write(ctx, "s", change(command.Touch, viewer("d", "u"))); err == nil {
		t.Log("it was applied before the cancellation was seen")
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFolderOfAnotherNodeIsRefused(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, raftstore.Config{Dir: dir})
	if _, err := raftstore.Open(t.Context(), raftstore.Config{Dir: dir}); err == nil {
		t.Error("two nodes share one folder")
	}
	n.Close()
	if _, err := raftstore.Open(t.Context(), raftstore.Config{Dir: dir, NodeID: "someone-else"}); !errors.Is(err, raftstore.ErrExistingState) {
		t.Errorf("a folder of another node gives %v", err)
	}
}

func TestFullDiskStopsWritesAndNotReads(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 40)
	n := openNode(t, raftstore.Config{Dir: t.TempDir()}.WithFreeSpace(free.Load))
	putStore(t, n, "s")
	fill(t, n, "s", "d", 3)
	free.Store(1 << 20)
	n.LookAtSpace()
	if _, err := n.Write(t.Context(), "s", change(command.Create, viewer("d", "u"))); !errors.Is(err, raftstore.ErrOverloaded) {
		t.Errorf("a write to a full disk gives %v", err)
	}
	if got := len(keys(t, n, "s", raftstore.FullyConsistent())); got != 3 {
		t.Errorf("a read finds %d tuples, want 3", got)
	}
	if n.Ready() {
		t.Error("a node with a full disk is ready")
	}
	free.Store(1 << 40)
	n.LookAtSpace()
	fill(t, n, "s", "more", 3)
}
