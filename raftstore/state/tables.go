package state

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkTables reads every table that Badger's manifest names, with all checksums.
// Badger could do it while it opens them, but does so on goroutines of its own,
// where a damaged length is a panic that nobody can catch.
func checkTables(o badger.Options) error {
	manifest, err := os.Open(o.Dir + "/" + badger.ManifestFilename)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a new folder; or a lost file, which the records will tell
	}
	if err != nil {
		return err
	}
	defer manifest.Close()
	var m badger.Manifest
	err = guard(func() (err error) {
		m, _, err = badger.ReplayManifestFile(manifest, o.ExternalMagicVersion, o)
		return err
	})
	if err != nil {
		return fmt.Errorf("%w: Badger's manifest: %w", ErrCorrupt, err)
	}
	ids := slices.Sorted(maps.Keys(m.Tables))
	next, failed := make(chan uint64, len(ids)), make(chan error, len(ids))
	for _, id := range ids {
		next <- id
	}
	close(next)
	var work sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for id := range next {
				if err := guard(func() error { return checkTable(o, id, m.Tables[id].Compression) }); err != nil {
					failed <- fmt.Errorf("%w: table %s: %w", ErrCorrupt, table.IDToFilename(id), err)
				}
			}
		})
	}
	work.Wait()
	close(failed)
	return <-failed // the first one; nil where there is none
}

func checkTable(o badger.Options, id uint64, compression options.CompressionType) error {
	content, err := os.ReadFile(table.NewFilename(id, o.Dir))
	if err != nil {
		return err
	}
	t, err := table.OpenInMemoryTable(content, id, &table.Options{ChkMode: options.NoVerification,
		BlockSize: o.BlockSize, BloomFalsePositive: o.BloomFalsePositive, Compression: compression})
	if err != nil {
		return err
	}
	return t.VerifyChecksum()
}
