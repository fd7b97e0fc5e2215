package state

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncTree makes all files and folders below a path durable: one call syncs the
// whole file system, the pages of memory maps included.
func syncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}

// diskFree returns how many bytes may still be written below a path.
func diskFree(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
