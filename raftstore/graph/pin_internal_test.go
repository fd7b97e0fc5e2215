package graph

import (
	"math/rand/v2"
	"testing"
)

// TestPins compares the pins with a plain map, and their size with what is held.
func TestPins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var p pins
	model := map[uint64]int{}
	var open []uint64
	p.hold(0) // held throughout
	model[0] = 1
	for now := uint64(1); now < 20_000; now++ {
		if r.IntN(2) == 0 || len(open) == 0 {
			at := now - min(now, uint64(r.IntN(5)))
			p.hold(at)
			model[at]++
			open = append(open, at)
		} else {
			i := r.IntN(len(open))
			at := open[i]
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
			p.release(at)
			if model[at]--; model[at] == 0 {
				delete(model, at)
			}
		}
		lowest := now
		for at := range model {
			lowest = min(lowest, at)
		}
		if got := p.lowest(now); got != lowest {
			t.Fatalf("lowest = %d, want %d", got, lowest)
		}
		if len(p.held) > 2*len(model)+1 {
			t.Fatalf("%d entries for %d numbers held", len(p.held), len(model))
		}
	}
	p.release(0)
	for _, at := range open {
		p.release(at)
	}
	if len(p.held) != 0 || p.lowest(7) != 7 {
		t.Errorf("nothing is held, and there are %v", p.held)
	}
}
