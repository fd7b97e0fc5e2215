package raftstore

import "golang.org/x/sys/unix"

// freeSpace returns how many bytes a folder's file system has left for this process.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}
