package graph

import (
	"cmp"
	"slices"
)

// pins counts holders of ascending numbers (moments of views, epochs) and knows
// the lowest one held.
type pins struct {
	held []pin // by at; none at either end has count 0
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
	}
	p.held[i].count++
}

func (p *pins) release(at uint64) {
	i, _ := p.find(at)
	p.held[i].count--
	for len(p.held) > 0 && p.held[0].count == 0 {
		p.held = p.held[1:]
	}
	for n := len(p.held); n > 0 && p.held[n-1].count == 0; n-- {
		p.held = p.held[:n-1]
	}
}

// lowest returns the lowest number held, or none.
func (p *pins) lowest(none uint64) uint64 {
	if len(p.held) == 0 {
		return none
	}
	return min(p.held[0].at, none)
}
