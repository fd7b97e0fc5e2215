package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
)

// Writer writes a backup: what is written to it is the content.
type Writer struct {
	w      io.Writer
	all    hash.Hash // over the checksums of the parts
	chunk  []byte
	chunks uint64
	bytes  uint64
}

// NewWriter writes the header. Close writes the end, without which the file is
// none.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	text, err := json.Marshal(h, json.Deterministic(true))
	if err != nil {
		return nil, err
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("the header of the backup has %d bytes, %d are the most", len(text), maxHeader)
	}
	head := binary.BigEndian.AppendUint16([]byte(magic), Version)
	head = append(binary.BigEndian.AppendUint32(head, uint32(len(text))), text...)
	out := &Writer{w: w, all: sha256.New(), chunk: make([]byte, 0, chunkBytes)}
	return out, out.part(head, sha256.Sum256(head))
}

// part writes some bytes and their checksum.
func (w *Writer) part(b []byte, sum [sha256.Size]byte) error {
	w.all.Write(sum[:])
	if _, err := w.w.Write(b); err != nil {
		return err
	}
	_, err := w.w.Write(sum[:])
	return err
}

// Write adds content.
func (w *Writer) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		n := min(chunkBytes-len(w.chunk), len(b))
		w.chunk, b = append(w.chunk, b[:n]...), b[n:]
		written += n
		if len(w.chunk) == chunkBytes {
			if err := w.flush(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (w *Writer) flush() error {
	if len(w.chunk) == 0 {
		return nil
	}
	sum := chunkSum(w.chunks, w.chunk)
	if _, err := w.w.Write(binary.BigEndian.AppendUint32(nil, uint32(len(w.chunk)))); err != nil {
		return err
	}
	if err := w.part(w.chunk, sum); err != nil {
		return err
	}
	w.chunks++
	w.bytes += uint64(len(w.chunk))
	w.chunk = w.chunk[:0]
	return nil
}

// Close writes the end. It does not close what it writes to.
func (w *Writer) Close() error {
	if err := w.flush(); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint32(nil, 0)
	end = binary.BigEndian.AppendUint64(end, w.chunks)
	end = binary.BigEndian.AppendUint64(end, w.bytes)
	w.all.Write(end)
	_, err := w.w.Write(w.all.Sum(end))
	return err
}
