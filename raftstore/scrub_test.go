package raftstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// A bit that the disk has turned is found while the node runs, and the node
// answers nothing any more: Badger alone would read a damaged tuple as absent.
func TestDamagedDataHaltsTheNode(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, raftstore.Config{Dir: dir, NoSync: true})
	putStore(t, n, "s")
	for i := range 20 {
		write(t, n, "s", change(command.Create, viewer("d", fmt.Sprint(i))))
	}
	if err := n.Close(); err != nil { // the memtable becomes a file
		t.Fatal(err)
	}
	n = openNode(t, raftstore.Config{Dir: dir, NoSync: true, ScrubInterval: 20 * time.Millisecond})
	if err := n.WaitReady(withPatience(t)); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "state", "*", "badger", "*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables to damage: %v, %v", tables, err)
	}
	for _, table := range tables {
		turnBit(t, table)
	}
	eventually(t, func() error {
		if fault := n.Status().Fault; !errors.Is(fault, state.ErrCorrupt) {
			return fmt.Errorf("the node's fault is %v, want %v", fault, state.ErrCorrupt)
		}
		return nil
	})
	if _, err := n.View(withPatience(t), "s", raftstore.MinimizeLatency()); !errors.Is(err, raftstore.ErrHalted) {
		t.Errorf("a damaged node gives a view: %v", err)
	}
	if n.Ready() {
		t.Error("a damaged node calls itself ready")
	}
}

// turnBit damages the first block of a file.
func turnBit(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	one := make([]byte, 1)
	if _, err := f.ReadAt(one, 20); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 1
	if _, err := f.WriteAt(one, 20); err != nil {
		t.Fatal(err)
	}
}
