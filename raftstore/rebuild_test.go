package raftstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// tables returns the table files of a node's state.
func tables(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "state", "*", "badger", "*.sst"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no tables to damage: %v, %v", found, err)
	}
	return found
}

// verified makes sure that all members hold the same.
func verified(t *testing.T, n *raftstore.Node) {
	t.Helper()
	v, err := n.VerifyCluster(withPatience(t))
	if err != nil {
		t.Fatal(err)
	}
	if !v.Equal {
		t.Fatalf("the members differ: %v", v.Findings)
	}
}

func TestVerifyFindsEqualMembers(t *testing.T) {
	c := startCluster(t, 3, nil)
	for _, name := range []string{"s", "t"} {
		putStore(t, c.nodes[0], name)
		fill(t, c.nodes[1], name, "d", 10)
	}
	for _, n := range c.nodes {
		v, err := n.VerifyCluster(withPatience(t))
		if err != nil {
			t.Fatal(err)
		}
		if !v.Equal || len(v.Members) != 3 || len(v.Members[0].Summary.Stores) != 2 || v.Members[0].Summary.Stores[0].State == "" {
			t.Errorf("%+v", v)
		}
	}
	c.stop(2)
	v, err := c.nodes[0].VerifyCluster(withPatience(t))
	if err != nil || v.Equal || len(v.Findings) != 1 || !strings.Contains(v.Findings[0], "no answer") {
		t.Errorf("with a member away: %v, %v", v.Findings, err)
	}
}

// A member whose state is damaged while it is stopped comes up, serves nothing,
// and rebuilds itself from the others.
func TestDamagedMemberRebuildsAtStart(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	past := fill(t, c.nodes[0], "s", "d", 20)
	i := c.follower()
	c.stop(i)
	for _, table := range tables(t, c.configs[i].Dir) {
		turnBit(t, table)
	}
	last := fill(t, c.nodes[c.leader()], "s", "meanwhile", 5)
	n := c.start(i)
	if err := n.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	if got := keys(t, n, "s", raftstore.AtLeastAsFresh(last.Revision)); len(got) != 25 {
		t.Errorf("the rebuilt member has %d tuples, want 25", len(got))
	}
	if got := keys(t, n, "s", raftstore.AtExactSnapshot(past.Revision)); len(got) != 20 {
		t.Errorf("the rebuilt member had %d tuples at a past revision, want 20", len(got))
	}
	s := n.Status()
	if s.Rebuilt != 1 || !errors.Is(s.RebuiltFor, state.ErrCorrupt) {
		t.Errorf("rebuilt %d times, for %v", s.Rebuilt, s.RebuiltFor)
	}
	if kept, _ := os.ReadDir(filepath.Join(c.configs[i].Dir, "damaged")); len(kept) != 1 {
		t.Errorf("the damaged files were not kept: %v", kept)
	}
	verified(t, n)
	c.stop(i) // and once more from its own disk
	n = c.start(i)
	fill(t, n, "s", "after", 5)
	verified(t, n)
}

// A running member whose disk turns bits finds it by its scrub.
func TestDamagedMemberRebuildsWhileItRuns(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	fill(t, c.nodes[0], "s", "d", 20)
	i := c.leader() // it hands over
	c.stop(i)       // the memtable becomes a file
	c.configs[i].ScrubInterval = 20 * time.Millisecond
	n := c.start(i)
	if err := n.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables(t, c.configs[i].Dir) {
		turnBit(t, table)
	}
	eventually(t, func() error {
		fill(t, c.nodes[(i+1)%3], "s", fmt.Sprint("more", time.Now().UnixNano()), 1)
		if s := n.Status(); s.Rebuilt == 0 || !s.Ready {
			return fmt.Errorf("rebuilt %d times, ready: %v %s, fault %v", s.Rebuilt, s.Ready, s.NotReady, s.Fault)
		}
		return nil
	})
	verified(t, n)
}

// A member that came to hold something else, by whatever fault, learns it from
// the others within a comparison and takes theirs.
func TestDifferingMemberRebuilds(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { config.CompareInterval = 50 * time.Millisecond })
	putStore(t, c.nodes[0], "s")
	fill(t, c.nodes[0], "s", "d", 20)
	i := c.follower()
	n := c.nodes[i]
	eventually(t, func() error { // another entry may come first
		if err := n.Diverge("s", change(command.Create, viewer("wrong", "eve"))); err != nil {
			return err
		}
		fill(t, c.nodes[c.leader()], "s", fmt.Sprint("d", time.Now().UnixNano()), 1)
		if !slices.Contains(keys(t, n, "s", raftstore.MinimizeLatency()), "document:wrong#viewer@user:eve") {
			return errors.New("the member does not differ yet")
		}
		return nil
	})
	eventually(t, func() error {
		if s := n.Status(); s.Rebuilt == 0 || !s.Ready {
			return fmt.Errorf("rebuilt %d times, ready: %v %s, fault %v", s.Rebuilt, s.Ready, s.NotReady, s.Fault)
		}
		return nil
	})
	if !errors.Is(n.Status().RebuiltFor, raftstore.ErrDiffers) {
		t.Errorf("rebuilt for %v", n.Status().RebuiltFor)
	}
	if has(t, n, "s", raftstore.MinimizeLatency(), viewer("wrong", "eve")) {
		t.Error("the wrong tuple is still there")
	}
	verified(t, n)
}

// Whatever is damaged in the tables of a running member, a verification finds it or
// it does no harm; the member mends itself, and all hold the same again.
func TestVerifyMendsARunningMember(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	fill(t, c.nodes[0], "s", "d", 60)
	want := keys(t, c.nodes[0], "s", raftstore.FullyConsistent())
	rnd := rand.New(rand.NewPCG(4, 4))
	rebuilt := 0
	for round := range 6 {
		i := (c.leader() + round%3) % 3
		c.stop(i) // the memtable becomes a file
		n := c.start(i)
		if err := n.WaitReady(withPatience(t)); err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(c.configs[i].Dir, "state", "*", "badger", "*.sst"))
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 { // all of it is in a memtable
			continue
		}
		table := found[rnd.IntN(len(found))]
		f, err := os.OpenFile(table, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 64)
		for j := range part {
			part[j] = byte(rnd.Uint32())
		}
		_, errWrite := f.WriteAt(part, rnd.Int64N(info.Size()-64))
		if err := errors.Join(errWrite, f.Close()); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			v, err := c.nodes[(i+1)%3].VerifyCluster(withPatience(t))
			if err == nil && !v.Equal {
				err = errors.New(strings.Join(v.Findings, "; "))
			}
			if s := n.Status(); err == nil && !s.Ready {
				err = errors.New(s.NotReady)
			}
			return err
		})
		if got := keys(t, n, "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
			t.Fatalf("round %d: the member answers %d tuples, want %d", round, len(got), len(want))
		}
		rebuilt += n.Status().Rebuilt
	}
	t.Logf("%d damages, %d rebuildings", 6, rebuilt)
}
