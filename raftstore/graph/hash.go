package graph

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// seed keys the hashes of one index, so that nobody who chooses ids chooses collisions.
type seed struct {
	text maphash.Seed
	a, b uint64
}

func newSeed() seed {
	return seed{text: maphash.MakeSeed(), a: rand.Uint64(), b: rand.Uint64()}
}

// tag hashes two words.
func (s seed) tag(a, b uint64) uint32 {
	h1, l1 := bits.Mul64(a^s.a, 0x9e3779b97f4a7c15)
	h2, l2 := bits.Mul64(b^s.b^h1^l1, 0xd6e8feb86659fd93)
	h3, l3 := bits.Mul64(h2^l2, 0xa0761d6478bd642f)
	return uint32((h3 ^ l3) >> 32)
}

// textTag hashes a type and an id.
func (s seed) textTag(kind uint32, id string) uint32 {
	return s.tag(uint64(kind), maphash.String(s.text, id))
}
