//go:build linux && !race

package graph

import "golang.org/x/sys/unix"

// leastHuge is the smallest piece for which huge pages are asked: a read at
// random then misses the processor's table of pages less often.
const leastHuge = 2 << 20

// lookAhead lets the build read, to have it in the cache, what another goroutine
// may be writing. The race detector would report it.
const lookAhead = true

// mapMemory returns so many zero bytes from the system, or nil.
func mapMemory(bytes int) []byte {
	piece, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil // the heap says it better if there is none
	}
	if bytes >= leastHuge {
		_ = unix.Madvise(piece, unix.MADV_HUGEPAGE) // an advice that a kernel need not know
	}
	return piece
}

func unmapMemory(piece []byte) { _ = unix.Munmap(piece) }
