package raftstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// A disk that really fills up: the node goes on to read, refuses to write before
// anything is damaged, says so, and writes again once there is room.
func TestDiskThatFillsUp(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("this user may mount nothing: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	config := raftstore.Config{Dir: filepath.Join(dir, "node"), MinFreeBytes: 32 << 20, ScrubInterval: -1}
	n, err := raftstore.Open(withPatience(t), config)
	if err != nil {
		t.Fatal(err)
	}
	closeNode := func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	putStore(t, n, "s")
	for round := range 3 {
		fill(t, n, "s", fmt.Sprint("before", round), 50)
		filler := filepath.Join(dir, "filler")
		if err := fillDisk(filler, 20<<20); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() error {
			_, err := n.Write(withPatience(t), "s", change(command.Touch, viewer("full", "u")))
			if !errors.Is(err, raftstore.ErrOverloaded) {
				return fmt.Errorf("on a full disk: %v", err)
			}
			return nil
		})
		if s := n.Status(); !s.DiskFull || s.Ready {
			t.Errorf("a node on a full disk says %+v", s)
		}
		if got := keys(t, n, "s", raftstore.MinimizeLatency()); len(got) < 50 {
			t.Errorf("%d tuples can be read", len(got))
		}
		if round == 1 { // it is stopped and started on the full disk
			closeNode()
			if n, err = raftstore.Open(withPatience(t), config); err != nil {
				if err := os.Remove(filler); err != nil {
					t.Fatal(err)
				}
				if n, err = raftstore.Open(withPatience(t), config); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.Remove(filler); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		eventually(t, func() error {
			_, err := n.Write(withPatience(t), "s", change(command.Touch, viewer(fmt.Sprint("again", round), "u")))
			return err
		})
		verified(t, n)
	}
	closeNode()
}

// fillDisk writes a file until so many bytes are left.
func fillDisk(name string, left int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 1<<20); ; {
		var st unix.Statfs_t
		if err := unix.Statfs(filepath.Dir(name), &st); err != nil {
			return err
		}
		if int64(st.Bavail)*st.Bsize <= left {
			return nil
		}
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
}
