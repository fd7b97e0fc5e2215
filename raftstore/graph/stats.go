package graph

import "unsafe"

// Stats is the size of an index as the last write left it.
type Stats struct {
	Tuples  int // there at the newest revision
	Held    int // with those that older views see, or that wait to be reused
	Objects int // objects, wildcards and distinct contexts, older ones included
	Retired int // removed, and not yet reused
	Bytes   int // memory of all of it, free space included
}

// Stats returns the size of the index. It waits for nothing.
func (x *Index) Stats() Stats { return *x.stats.Load() }

func (x *Index) measure() {
	slots := x.byID.slots + x.byKey.slots + x.byType.table.slots + x.forward.table.slots + x.backward.table.slots
	x.stats.Store(&Stats{
		Tuples:  x.live,
		Held:    x.edges.used(),
		Objects: x.nodes.used(),
		Retired: len(x.retired) + len(x.limbo),
		Bytes: 8*slots + x.texts.pageCount()*bytePage + x.words.pageCount()*wordPage*4 +
			x.edges.pageCount()*int(unsafe.Sizeof(page[edge]{})) +
			x.nodes.pageCount()*int(unsafe.Sizeof(page[node]{})) +
			x.lists.pageCount()*int(unsafe.Sizeof(page[list]{})) +
			cap(x.retired)*int(unsafe.Sizeof(retired{})) + cap(x.limbo)*int(unsafe.Sizeof(limbo{})),
	})
}
