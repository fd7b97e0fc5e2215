package graph

// NewAt returns an index whose writes are counted from a sequence on, to try
// what happens after billions of them.
var NewAt = newAt

// SweepEvery is how many writes lie between two sweeps.
const SweepEvery = sweepEvery

// Skip lets n writes pass that change nothing, at once.
func (x *Index) Skip(n uint64) {
	x.history[len(x.history)-1].sequence += n
}

// MaxShard is the most entries that a growth of the table rehashes.
const MaxShard = maxSlots / 4 * 3

// Shards returns how many shards the table of edges has.
func (x *Index) Shards() int { return len(x.byKey.dir.Load().shards) }
