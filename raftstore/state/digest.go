package state

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Digest is a 128-bit sum over the tuples of a store, live and quarantined: the
// order in which they came, and what was there before, does not show in it. Two
// nodes at one revision have the same digest or different tuples.
type Digest struct{ Hi, Lo uint64 }

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d.append(nil)) }

func (d Digest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, d.Hi)
	return binary.BigEndian.AppendUint64(b, d.Lo)
}

// digestOf hashes one tuple: its kind (live or quarantined), key and value. The
// key's length in front keeps key and value apart.
func digestOf(kind byte, rowKey, value []byte) Digest {
	var stack [256]byte
	b := binary.BigEndian.AppendUint32(append(stack[:0], kind), uint32(len(rowKey)))
	b = append(append(b, rowKey...), value...)
	sum := sha256.Sum256(b)
	return Digest{Hi: binary.BigEndian.Uint64(sum[:]), Lo: binary.BigEndian.Uint64(sum[8:])}
}

func (d Digest) add(e Digest) Digest {
	lo, carry := bits.Add64(d.Lo, e.Lo, 0)
	hi, _ := bits.Add64(d.Hi, e.Hi, carry)
	return Digest{Hi: hi, Lo: lo}
}

func (d Digest) sub(e Digest) Digest {
	lo, borrow := bits.Sub64(d.Lo, e.Lo, 0)
	hi, _ := bits.Sub64(d.Hi, e.Hi, borrow)
	return Digest{Hi: hi, Lo: lo}
}
