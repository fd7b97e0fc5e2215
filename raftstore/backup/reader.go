package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
)

// Reader reads a backup: Read gives its content, verified, and io.EOF once the
// end has been verified, too, and nothing follows it.
type Reader struct {
	Header Header

	r      *bufio.Reader
	offset int64
	all    hash.Hash
	chunk  []byte // of the verified chunk, what was not given yet
	buf    []byte
	chunks uint64
	bytes  uint64
	err    error // sticks
}

// NewReader reads the header. Errors: a *FaultError, or the reader's own.
func NewReader(r io.Reader) (*Reader, error) {
	in := &Reader{r: bufio.NewReaderSize(r, 256<<10), all: sha256.New()}
	return in, in.header()
}

func (r *Reader) header() error {
	const fixed = len(magic) + 2 + 4
	head := make([]byte, fixed)
	n, err := io.ReadFull(r.r, head)
	if !bytes.HasPrefix(head, []byte(magic)[:min(n, len(magic))]) || n == 0 {
		return r.fault(0, "header", ErrForeign)
	}
	if err != nil {
		return r.cut(0, "header", err)
	}
	if v := binary.BigEndian.Uint16(head[len(magic):]); v > Version {
		return r.fault(int64(len(magic)), "header", fmt.Errorf("%w (format %d; this build knows %d)", ErrNewer, v, Version))
	} else if v == 0 {
		return r.fault(int64(len(magic)), "header", ErrDamaged)
	}
	size := binary.BigEndian.Uint32(head[len(magic)+2:])
	if size > maxHeader {
		return r.fault(int64(len(magic))+2, "header", ErrDamaged)
	}
	rest := make([]byte, int(size)+sha256.Size)
	if _, err := io.ReadFull(r.r, rest); err != nil {
		return r.cut(0, "header", err)
	}
	head = append(head, rest[:size]...)
	sum := sha256.Sum256(head)
	if !bytes.Equal(sum[:], rest[size:]) {
		return r.fault(0, "header", ErrDamaged)
	}
	if err := json.Unmarshal(head[fixed:], &r.Header); err != nil {
		return r.fault(int64(fixed), "header", fmt.Errorf("%w: %w", ErrDamaged, err))
	}
	r.all.Write(sum[:])
	r.offset = int64(len(head) + sha256.Size)
	return nil
}

// Read gives content that has been verified.
func (r *Reader) Read(b []byte) (int, error) {
	for len(r.chunk) == 0 {
		if r.err == nil {
			r.err = r.next()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(b, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// next reads and verifies a chunk; io.EOF is the verified end.
func (r *Reader) next() error {
	part := fmt.Sprintf("chunk %d", r.chunks)
	var length [4]byte
	if _, err := io.ReadFull(r.r, length[:]); err != nil {
		return r.cut(r.offset, part, err)
	}
	size := int(binary.BigEndian.Uint32(length[:]))
	if size == 0 {
		return r.end()
	}
	if size > maxChunk {
		return r.fault(r.offset, part, ErrDamaged)
	}
	if cap(r.buf) < size+sha256.Size {
		r.buf = make([]byte, size+sha256.Size)
	}
	r.buf = r.buf[:size+sha256.Size]
	if _, err := io.ReadFull(r.r, r.buf); err != nil {
		return r.cut(r.offset, part, err)
	}
	sum := chunkSum(r.chunks, r.buf[:size])
	if !bytes.Equal(sum[:], r.buf[size:]) {
		return r.fault(r.offset, part, ErrDamaged)
	}
	r.all.Write(sum[:])
	r.chunks++
	r.bytes += uint64(size)
	r.offset += int64(4 + size + sha256.Size)
	r.chunk = r.buf[:size]
	return nil
}

// end verifies the end, behind its first four bytes.
func (r *Reader) end() error {
	end := make([]byte, 4+8+8+sha256.Size)
	if _, err := io.ReadFull(r.r, end[4:]); err != nil {
		return r.cut(r.offset, "end", err)
	}
	r.all.Write(end[:20])
	if binary.BigEndian.Uint64(end[4:]) != r.chunks || binary.BigEndian.Uint64(end[12:]) != r.bytes || !bytes.Equal(r.all.Sum(nil), end[20:]) {
		return r.fault(r.offset, "end", ErrDamaged)
	}
	r.offset += int64(len(end))
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return r.fault(r.offset, "end", fmt.Errorf("%w: something follows it", ErrDamaged))
	}
	return io.EOF
}

func (r *Reader) fault(offset int64, part string, err error) error {
	return &FaultError{Offset: offset, Part: part, Err: err}
}

// cut is what a read that ended early means: the file's end, or the reader's fault.
func (r *Reader) cut(offset int64, part string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return r.fault(offset, part, ErrTruncated)
	}
	return err
}
