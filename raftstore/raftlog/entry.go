package raftlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

// An entry on disk is: checksum (CRC-32C over its index and all that follows, 4
// bytes), type (1), term (8), when it was appended (8, Unix nanoseconds), length of
// the extensions (4), extensions, data. Its key is the index, big endian.
const entryHeader = 4 + 1 + 8 + 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func entryKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func encodeEntry(e *raft.Log) []byte {
	b := make([]byte, entryHeader, entryHeader+len(e.Extensions)+len(e.Data))
	b[4] = byte(e.Type)
	binary.BigEndian.PutUint64(b[5:], e.Term)
	if !e.AppendedAt.IsZero() {
		binary.BigEndian.PutUint64(b[13:], uint64(e.AppendedAt.UnixNano()))
	}
	binary.BigEndian.PutUint32(b[21:], uint32(len(e.Extensions)))
	b = append(append(b, e.Extensions...), e.Data...)
	binary.BigEndian.PutUint32(b, checksum(entryKey(e.Index), b[4:]))
	return b
}

func checksum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, rest)
}

// checkEntry compares an entry with its checksum.
func checkEntry(key, b []byte) error {
	if len(key) != 8 || len(b) < entryHeader || binary.BigEndian.Uint32(b) != checksum(key, b[4:]) {
		return fmt.Errorf("%w: the entry with the key %x is not what was written", ErrDamaged, key)
	}
	if n := binary.BigEndian.Uint32(b[21:]); uint64(n) > uint64(len(b)-entryHeader) {
		return fmt.Errorf("%w: the entry with the key %x has extensions of %d bytes", ErrDamaged, key, n)
	}
	return nil
}

// decodeEntry reads an entry into e, which keeps none of b.
func decodeEntry(key, b []byte, e *raft.Log) error {
	if err := checkEntry(key, b); err != nil {
		return err
	}
	*e = raft.Log{Index: binary.BigEndian.Uint64(key), Type: raft.LogType(b[4]), Term: binary.BigEndian.Uint64(b[5:])}
	if at := binary.BigEndian.Uint64(b[13:]); at != 0 {
		e.AppendedAt = time.Unix(0, int64(at))
	}
	split := entryHeader + int(binary.BigEndian.Uint32(b[21:]))
	rest := append([]byte(nil), b[entryHeader:]...)
	if split > entryHeader {
		e.Extensions = rest[: split-entryHeader : split-entryHeader]
	}
	e.Data = rest[split-entryHeader:]
	return nil
}
