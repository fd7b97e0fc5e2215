//go:build !linux

package disk

import (
	"io/fs"
	"math"
	"path/filepath"
)

// SyncTree makes all files and folders below a path durable, one by one.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return Sync(path)
	})
}

// Free cannot tell on this system, and says that there is room.
func Free(string) (int64, error) { return math.MaxInt64, nil }
