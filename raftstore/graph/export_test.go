package graph

// NewAt returns an index whose writes are counted from a sequence on, to try
// what happens after billions of them.
var NewAt = newAt

// SweepEvery is how many writes lie between two sweeps.
const SweepEvery = sweepEvery
