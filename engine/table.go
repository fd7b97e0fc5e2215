package engine

import (
	"math/bits"
	"math/rand/v2"
)

// table is a map from atoms to numbers that is emptied at once and keeps its
// room: a slot counts only in the generation that filled it. The zero value is
// empty.
type table struct {
	slots      []slot
	generation uint32
	used       int
}

type slot struct {
	key        atomKey
	generation uint32
	number     int32
}

const minSlots = 64

// seeds make the slot of a key unknown to whoever chooses names. No answer
// depends on them.
var seeds = [2]uint64{rand.Uint64(), rand.Uint64()}

func (k atomKey) hash() uint32 {
	hi, lo := bits.Mul64((uint64(k.node)|uint64(k.relation)<<32)^seeds[0], uint64(uint32(k.subject))^seeds[1])
	return uint32(hi ^ lo)
}

// get returns the number of a key.
func (t *table) get(key atomKey) (int32, bool) {
	if t.used == 0 {
		return 0, false
	}
	mask := uint32(len(t.slots) - 1)
	for i := key.hash() & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.generation != t.generation {
			return 0, false
		}
		if s.key == key {
			return s.number, true
		}
	}
}

// put gives a key that is not there a number.
func (t *table) put(key atomKey, number int32) {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	t.used++
	t.fill(slot{key, t.generation, number})
}

func (t *table) fill(filled slot) {
	mask := uint32(len(t.slots) - 1)
	i := filled.key.hash() & mask
	for t.slots[i].generation == t.generation {
		i = (i + 1) & mask
	}
	t.slots[i] = filled
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, max(2*len(old), minSlots))
	t.generation = max(t.generation, 1)
	for _, s := range old {
		if s.generation == t.generation {
			t.fill(s)
		}
	}
}

// reset empties the table.
func (t *table) reset() {
	t.used = 0
	if t.generation++; t.generation == 0 { // it has come round
		clear(t.slots)
		t.generation = 1
	}
}
