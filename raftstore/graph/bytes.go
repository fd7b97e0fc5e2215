package graph

import "sync/atomic"

const (
	bytePage = 32 << 10 // more than the longest id or context
	byteUnit = 8        // texts begin at multiples of it, so that 32 bits address 32 GiB
)

// texts is an arena of immutable byte strings, addressed in units of 8 bytes.
type texts struct {
	dir  atomic.Pointer[[]*[bytePage]byte]
	next uint32           // writer's: the first unit never taken
	free map[int][]uint32 // writer's: addresses given back, by length in units
}

func (a *texts) at(addr, length uint32) []byte {
	offset := addr % (bytePage / byteUnit) * byteUnit
	return (*a.dir.Load())[addr/(bytePage/byteUnit)][offset : offset+length]
}

func units(length int) int { return max(1, (length+byteUnit-1)/byteUnit) }

func (a *texts) put(text string) uint32 {
	n := units(len(text))
	addr, ok := a.reuse(n)
	if !ok {
		addr = a.grow(n)
	}
	copy(a.at(addr, uint32(len(text))), text)
	return addr
}

func (a *texts) reuse(n int) (uint32, bool) {
	list := a.free[n]
	if len(list) == 0 {
		return 0, false
	}
	a.free[n] = list[:len(list)-1]
	return list[len(list)-1], true
}

func (a *texts) grow(n int) uint32 {
	const perPage = bytePage / byteUnit
	var dir []*[bytePage]byte
	if d := a.dir.Load(); d != nil {
		dir = *d
	}
	if left := uint32(len(dir))*perPage - a.next; left < uint32(n) {
		for ; left > 0; left-- { // what is left of the page serves short ids
			a.giveUnits(a.next, 1)
			a.next++
		}
		dir = append(dir, new([bytePage]byte))
		a.dir.Store(&dir)
	}
	addr := a.next
	a.next += uint32(n)
	return addr
}

func (a *texts) give(addr uint32, length int) { a.giveUnits(addr, units(length)) }

func (a *texts) giveUnits(addr uint32, n int) {
	if a.free == nil {
		a.free = map[int][]uint32{}
	}
	a.free[n] = append(a.free[n], addr)
}

// room says whether n more bytes can be addressed, at worst one page a text.
func (a *texts) room() bool { return a.next < 1<<32-1<<26 }

func (a *texts) pageCount() int {
	if d := a.dir.Load(); d != nil {
		return len(*d)
	}
	return 0
}
