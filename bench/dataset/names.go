package dataset

import "hash/maphash"

// names numbers the ids of one type, from 0 in the order of meeting. The texts
// lie in one piece of memory and the table holds numbers, so that a hundred
// million names are three allocations.
type names struct {
	seed  maphash.Seed
	text  []byte
	ends  []uint32 // of each name in text
	table []uint32 // number + 1; 0 is free; a power of two long
}

func newNames() *names { return &names{seed: maphash.MakeSeed(), table: make([]uint32, 1024)} }

// number returns the number of a name, a new one when it is met first.
func (n *names) number(name string) uint32 {
	slot, found := n.find(name)
	if found {
		return n.table[slot] - 1
	}
	if len(n.ends) >= len(n.table)/4*3 {
		n.grow()
		slot, _ = n.find(name)
	}
	n.text = append(n.text, name...)
	n.ends = append(n.ends, uint32(len(n.text)))
	n.table[slot] = uint32(len(n.ends))
	return uint32(len(n.ends) - 1)
}

// lookup returns the number of a name that is there.
func (n *names) lookup(name string) (uint32, bool) {
	slot, found := n.find(name)
	return n.table[slot] - 1, found
}

func (n *names) find(name string) (slot uint64, found bool) {
	mask := uint64(len(n.table) - 1)
	for slot = maphash.String(n.seed, name) & mask; ; slot = (slot + 1) & mask {
		switch number := n.table[slot]; {
		case number == 0:
			return slot, false
		case string(n.bytes(number-1)) == name:
			return slot, true
		}
	}
}

func (n *names) bytes(number uint32) []byte {
	begin := uint32(0)
	if number > 0 {
		begin = n.ends[number-1]
	}
	return n.text[begin:n.ends[number]]
}

func (n *names) name(number uint32) string { return string(n.bytes(number)) }

func (n *names) grow() {
	n.table = make([]uint32, 2*len(n.table))
	mask := uint64(len(n.table) - 1)
	for i := range n.ends {
		slot := maphash.Bytes(n.seed, n.bytes(uint32(i))) & mask
		for n.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		n.table[slot] = uint32(i + 1)
	}
}
