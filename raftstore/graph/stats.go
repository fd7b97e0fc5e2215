package graph

import "unsafe"

// Stats is the size of an index as the last write left it.
type Stats struct {
	Tuples  int // there at the newest revision
	Held    int // versions of tuples: those with attributes, and those that views may see otherwise
	Objects int // objects, wildcards and distinct contexts, older ones included
	Retired int // written, and not yet settled or reused
	Bytes   int // memory of all of it, free space included
}

// Stats returns the size of the index. It waits for nothing.
func (x *Index) Stats() Stats { return *x.stats.Load() }

func (x *Index) measure() {
	shards := len(x.names.dir.Load().shards)
	x.stats.Store(&Stats{
		Tuples:  x.live,
		Held:    x.held,
		Objects: x.objects,
		Retired: len(x.waiting) + len(x.limbo),
		Bytes: x.nodes.bytes() + x.lives.bytes() + x.versions.bytes() + x.runs.bytes() + x.words.bytes() +
			shards*int(unsafe.Sizeof(shard{})+unsafe.Sizeof(uintptr(0))) +
			cap(x.waiting)*int(unsafe.Sizeof(waiting{})) + cap(x.limbo)*int(unsafe.Sizeof(limbo{})),
	})
}
