package graph

import (
	"sync"
	"unsafe"
)

// memory is where an index's records lie: outside the Go heap where the system
// has a way, so that the collector neither reads them nor lets garbage of their
// size pile up beside them. Small pieces come from the heap: an index of a few
// tuples maps nothing.
type memory struct {
	mu     sync.Mutex // guards mapped
	mapped [][]byte
}

// leastMapped is the smallest piece that is taken from the system.
const leastMapped = 64 << 10

// take returns so many zero bytes, a multiple of 8. Pages that nobody writes to
// take no memory.
func (m *memory) take(bytes int) unsafe.Pointer {
	if bytes >= leastMapped {
		if piece := mapMemory(bytes); piece != nil {
			m.mu.Lock()
			m.mapped = append(m.mapped, piece)
			m.mu.Unlock()
			return unsafe.Pointer(unsafe.SliceData(piece))
		}
	}
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, bytes/8)))
}

// release gives back all that was mapped. Nobody may read it any more.
func (m *memory) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, piece := range m.mapped {
		unmapMemory(piece)
	}
	m.mapped = nil
}
