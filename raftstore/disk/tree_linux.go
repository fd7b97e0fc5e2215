package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncTree makes all files and folders below a path durable: one call syncs the
// whole file system, the pages of memory maps included.
func SyncTree(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}

// Free returns how many bytes this process may still write below a path.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
