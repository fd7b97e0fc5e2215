package raftstore_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// A loss of power takes what was written since the last snapshot and not synced:
// all of the state, or any part of its memtables. What the log holds was synced before
// it was acknowledged. Every acknowledged write is there afterwards.
func TestPowerLossOfAWholeNode(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 3))
			config := raftstore.Config{Dir: t.TempDir(), CollectInterval: -1}.WithBoot("first")
			n := openNode(t, config)
			putStore(t, n, "s")
			fill(t, n, "s", "synced", rnd.IntN(40))
			if err := n.Snapshot(); err != nil && !strings.Contains(err.Error(), "nothing new") {
				t.Fatal(err)
			}
			synced, lost := filepath.Join(t.TempDir(), "synced"), filepath.Join(t.TempDir(), "lost")
			copyFolder(t, config.Dir, synced)
			fill(t, n, "s", "unsynced", 1+rnd.IntN(60))
			write(t, n, "s", change(command.Delete, viewer("unsynced", "0")))
			want := keys(t, n, "s", raftstore.FullyConsistent())
			copyFolder(t, config.Dir, lost)
			if seed%2 == 0 {
				loseState(t, synced, lost)
			} else {
				tearMemtables(t, rnd, synced, lost)
			}
			after := config.WithBoot("second")
			after.Dir = lost
			n = openNode(t, after)
			if got := keys(t, n, "s", raftstore.FullyConsistent()); !slices.Equal(got, want) {
				t.Errorf("%d tuples after the loss of power, want %d", len(got), len(want))
			}
			verified(t, n)
		})
	}
}

// loseState puts the state of the last sync in the place of what came after.
func loseState(t *testing.T, synced, lost string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(lost, "state")); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, filepath.Join(synced, "state"), filepath.Join(lost, "state"))
}

// tearMemtables keeps of what memtables got since the last sync some sectors only.
func tearMemtables(t *testing.T, rnd *rand.Rand, synced, lost string) {
	t.Helper()
	err := filepath.WalkDir(lost, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".mem" {
			return err
		}
		now, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		before, _ := os.ReadFile(filepath.Join(synced, strings.TrimPrefix(name, lost)))
		for at := 0; at+512 <= len(now); at += 512 {
			if rnd.IntN(3) > 0 {
				continue
			}
			clear(now[at : at+512])
			if at+512 <= len(before) {
				copy(now[at:], before[at:at+512])
			}
		}
		return os.WriteFile(name, now, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}
