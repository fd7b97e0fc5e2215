// Package backup is the file format of backups: a header that says what is inside,
// the stream of a state in chunks, each with its checksum, and an end that sums
// all of them up. docs/backup.md describes it byte by byte.
//
// NewWriter writes one, and NewReader reads one: what it gives out has been
// verified, and what is cut short, altered, foreign or newer is a *FaultError
// that names the place.
package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Version is the version of the format. A build reads what is not newer.
const Version = 1

const (
	magic      = "pemba backup\n"
	maxHeader  = 64 << 10
	chunkBytes = 256 << 10
	maxChunk   = 1 << 20 // that a reader takes
)

// Header says what a backup holds.
type Header struct {
	Cluster  string    `json:"cluster"`        // that it was taken of, for people: a restored cluster is another one
	Revision uint64    `json:"revision"`       // that it is of
	Floor    uint64    `json:"floor"`          // the oldest revision that can be read from it
	Time     time.Time `json:"time"`           // the log's at the revision
	Feature  uint32    `json:"feature"`        // level of the cluster: a build that does not reach it cannot restore
	Store    string    `json:"store,omitzero"` // the only one inside; "": the whole cluster
}

// What is wrong with a file.
var (
	ErrForeign   = errors.New("this is no backup of Pemba")
	ErrNewer     = errors.New("the backup was made by a newer build than this; use that one")
	ErrTruncated = errors.New("the backup ends too early: it was cut off; use another copy, or take it anew")
	ErrDamaged   = errors.New("the backup was altered or damaged; use another copy")
)

// FaultError says what is wrong with a file and where.
type FaultError struct {
	Offset int64  // of the part that is wrong, in bytes
	Part   string // its name: header, chunk 12, end
	Err    error
}

// Error names the place.
func (e *FaultError) Error() string {
	return fmt.Sprintf("%v (at byte %d, in its %s)", e.Err, e.Offset, e.Part)
}

// Unwrap returns what is wrong.
func (e *FaultError) Unwrap() error { return e.Err }

// chunkSum is the checksum of a chunk: of its number and its bytes, so that no
// chunk can stand in another's place.
func chunkSum(number uint64, chunk []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, number))
	h.Write(chunk)
	return [sha256.Size]byte(h.Sum(nil))
}
