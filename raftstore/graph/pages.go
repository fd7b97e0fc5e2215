package graph

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const pageBits = 6

// pages is an arena of records that never move, numbered from 0, in pieces of 64,
// 128, 256, … records: few enough that their addresses stay in the processor's
// cache. The writer takes and gives back; readers call at with a number that
// they found through an atomic load, which makes the record behind it visible.
type pages[T any] struct {
	pieces [32]atomic.Pointer[T]
	next   uint32   // writer's: the first number never taken
	free   []uint32 // writer's: numbers given back
}

func pieceOf(i uint32) (piece int, offset uint32) {
	piece = bits.Len32(i>>pageBits+1) - 1
	return piece & 31, i - (1<<piece-1)<<pageBits
}

func (p *pages[T]) at(i uint32) *T {
	piece, offset := pieceOf(i)
	var zero T
	return (*T)(unsafe.Add(unsafe.Pointer(p.pieces[piece].Load()), uintptr(offset)*unsafe.Sizeof(zero)))
}

// find is at for a number that may be any: nil where there is no record of it.
func (p *pages[T]) find(i uint32) *T {
	piece, offset := pieceOf(i)
	first := p.pieces[piece].Load()
	if first == nil {
		return nil
	}
	var zero T
	return (*T)(unsafe.Add(unsafe.Pointer(first), uintptr(offset)*unsafe.Sizeof(zero)))
}

// slice returns n records from a number on, which were reserved together.
func (p *pages[T]) slice(i, n uint32) []T { return unsafe.Slice(p.at(i), n) }

// left returns how many records lie between a number and its piece's end.
func (p *pages[T]) left(i uint32) uint32 {
	piece, offset := pieceOf(i)
	return uint32(1)<<(piece+pageBits) - offset
}

// ensure makes the piece that a number lies in.
func (p *pages[T]) ensure(i uint32, m *memory) {
	piece, _ := pieceOf(i)
	if p.pieces[piece].Load() == nil {
		var zero T
		p.pieces[piece].Store((*T)(m.take(int(unsafe.Sizeof(zero)) << (piece + pageBits))))
	}
}

// take returns the number of a record that nobody uses.
func (p *pages[T]) take(m *memory) uint32 {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i
	}
	p.ensure(p.next, m)
	p.next++
	return p.next - 1
}

func (p *pages[T]) give(i uint32) { p.free = append(p.free, i) }

// room says whether n more records can be numbered.
func (p *pages[T]) room(n int) bool { return uint64(p.next)+uint64(n) < 1<<31 }

// bytes returns the memory of all records that were ever taken.
func (p *pages[T]) bytes() int {
	var zero T
	return int(p.next)*int(unsafe.Sizeof(zero)) + 4*cap(p.free)
}
