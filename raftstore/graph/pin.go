package graph

import (
	"cmp"
	"slices"
)

// pins counts holders of numbers (sequences of views, epochs) and knows the
// lowest one held. Numbers mostly come in ascending order.
type pins struct {
	held  []pin // by at
	empty int   // those with count 0
}

type pin struct {
	at    uint64
	count int
}

func (p *pins) find(at uint64) (int, bool) {
	return slices.BinarySearchFunc(p.held, at, func(q pin, at uint64) int { return cmp.Compare(q.at, at) })
}

func (p *pins) hold(at uint64) {
	i, ok := p.find(at)
	if !ok {
		p.held = slices.Insert(p.held, i, pin{at: at})
	} else if p.held[i].count == 0 {
		p.empty--
	}
	p.held[i].count++
}

// release takes one holder away. Numbers that nobody holds any more go when they
// are the lowest, or when they are the most: a number held for long must not
// keep all that come after it.
func (p *pins) release(at uint64) {
	i, _ := p.find(at)
	p.held[i].count--
	if p.held[i].count > 0 {
		return
	}
	p.empty++
	first := 0
	for first < len(p.held) && p.held[first].count == 0 {
		first++
	}
	p.held = slices.Delete(p.held, 0, first) // which keeps the room in front
	p.empty -= first
	if p.empty > len(p.held)/2 {
		p.held = slices.DeleteFunc(p.held, func(q pin) bool { return q.count == 0 })
		p.empty = 0
	}
}

// lowest returns the lowest number held, or none where that is lower or nobody holds one.
func (p *pins) lowest(none uint64) uint64 {
	if len(p.held) == 0 {
		return none
	}
	return min(p.held[0].at, none)
}
