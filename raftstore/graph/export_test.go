package graph

// NewAt returns an index whose writes are counted from a sequence on, to try
// what happens after billions of them.
func NewAt(sequence uint64) *Index { return newAt(sequence, 0) }

// ManyWrites is a number of writes that several times make moments wrap.
const ManyWrites = mostPinned / 4

// Skip lets n writes pass that change nothing, at once.
func (x *Index) Skip(n uint64) {
	x.history[len(x.history)-1].sequence += n
}

// MaxShard is the most entries that a growth of the table of names rehashes.
const MaxShard = maxSlots / 4 * 3

// Shards returns how many shards the table of names has.
func (x *Index) Shards() int { return len(x.names.dir.Load().shards) }

// SmallShards lets sets of an empty index have many shards at few entries.
func (x *Index) SmallShards() { x.setSlots = minSetSlots }

// SmallShards lets sets of the index have many shards at few entries.
func (b *Builder) SmallShards() { b.x.SmallShards() }

// FewYoung lets little wait for Retain alone.
func (x *Index) FewYoung(most int) { x.mostYoung = most }
