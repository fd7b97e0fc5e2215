package state

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"
)

// streamWriter writes until the first error or the context's end.
type streamWriter struct {
	ctx   context.Context
	w     *bufio.Writer
	b     []byte
	count uint64
	err   error
}

func (w *streamWriter) write(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

func (w *streamWriter) frame(removed bool, version uint64, key, value []byte) {
	if w.count++; w.count%1024 == 0 && w.err == nil {
		w.err = w.ctx.Err()
	}
	w.b = binary.AppendUvarint(append(w.b[:0], flag(removed)), version)
	w.b = append(appendBytes(w.b, key), value...)
	w.write(binary.AppendUvarint(nil, uint64(len(w.b))))
	w.write(w.b)
}

func (w *streamWriter) flush() error {
	if w.err == nil {
		w.err = w.w.Flush()
	}
	return w.err
}

func encodeMarks(marks []mark, frames uint64) []byte {
	b := binary.AppendUvarint(nil, frames)
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for _, m := range marks {
		b = m.Digest.append(binary.AppendUvarint(b, uint64(m.Store)))
		b = binary.AppendUvarint(binary.AppendUvarint(b, m.Live), m.Quarantined)
	}
	return b
}

func decodeMarks(b []byte) (marks []mark, frames uint64, err error) {
	f := fields{b: b}
	frames = f.uint()
	for n := f.uint(); n > 0 && f.err == nil; n-- {
		marks = append(marks, mark{storeID(f.uint()), Digest{f.u64(), f.u64()}, f.uint(), f.uint()})
	}
	return marks, frames, f.err
}

// streamReader reads the stream and sums it up.
type streamReader struct {
	r   *bufio.Reader
	sum hash.Hash
	b   []byte
}

// ReadByte reads one byte, for binary.ReadUvarint.
func (r *streamReader) ReadByte() (byte, error) {
	c, err := r.r.ReadByte()
	if err == nil {
		r.sum.Write([]byte{c})
	}
	return c, err
}

// next reads a length and so many bytes, which are valid until the next call.
func (r *streamReader) next(most uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("%w: a frame of %d bytes", ErrStream, n)
	}
	return r.read(int(n))
}

func (r *streamReader) read(n int) ([]byte, error) {
	r.b = slices.Grow(r.b[:0], n)[:n]
	_, err := io.ReadFull(r.r, r.b)
	r.sum.Write(r.b)
	return r.b, err
}
