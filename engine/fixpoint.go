package engine

import "slices"

// bound is one of the two bounds of a circuit's cells.
type bound struct {
	truth []truth
	why   []why
}

// of returns this bound's part of a value.
type side func(value) (truth, why)

func lowerSide(v value) (truth, why) { return v.lower, v.lowerWhy }
func upperSide(v value) (truth, why) { return v.upper, v.upperWhy }

// roundsWork bounds the cells that alternation may evaluate, per atom that a
// request may have: a circuit whose values settle one by one takes as many rounds
// as it has cells.
const roundsWork = 10

// solve finds the bounds: the alternating fixpoint, which without a negation is
// a plain least fixpoint.
func (c *circuit) solve() error {
	c.lower.truth = make([]truth, len(c.cells))
	for work := 0; ; work += len(c.cells) {
		if work > len(c.cells) && work/roundsWork > c.e.limit {
			return budgetError(c.e.limit)
		}
		upper, err := c.leastFixpoint(upperSide, c.lower.truth)
		if err != nil {
			return err
		}
		lower, err := c.leastFixpoint(lowerSide, upper)
		if err != nil {
			return err
		}
		stable := !c.negation || slices.Equal(lower, c.lower.truth)
		c.lower.truth, c.upper.truth = lower, upper
		if stable {
			return c.explain()
		}
	}
}

// leastFixpoint raises every cell from denied as far as its operands force it.
// A negation reads the other bound, which stands still meanwhile.
func (c *circuit) leastFixpoint(of side, other []truth) ([]truth, error) {
	c.order = c.order[:0]
	now := make([]truth, len(c.cells))  // what a cell is
	told := make([]truth, len(c.cells)) // what its readers know of it
	lacks := make([][2]int32, len(c.cells))
	var work []int32
	raise := func(i int32, t truth) {
		if t > now[i] {
			now[i] = t
			work = append(work, i)
		}
	}
	for i := range c.cells {
		cl := &c.cells[i]
		acc, _ := of(cl.acc)
		lacks[i] = [2]int32{denied: cl.operands}
		switch {
		case cl.op == notOf:
			raise(int32(i), other[cl.negates].not())
		case cl.op == anyOf || cl.operands == 0:
			raise(int32(i), acc)
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		before, after := told[i], now[i]
		if before == after {
			continue
		}
		told[i] = after
		if after == holds && int(i) < len(c.atoms) {
			c.order = append(c.order, i)
		}
		for _, r := range c.readers(i) {
			if err := c.e.pace(); err != nil {
				return nil, err
			}
			switch c.cells[r].op {
			case anyOf:
				raise(r, after)
			case allOf:
				acc, _ := of(c.cells[r].acc)
				lacks[r][before]--
				if after != holds {
					lacks[r][after]++
				}
				raise(r, min(acc, lacking(lacks[r])))
			}
		}
	}
	return now, nil
}

// lacking is the least of operands of which so many are denied and unknown.
func lacking(n [2]int32) truth {
	switch {
	case n[denied] > 0:
		return denied
	case n[unknown] > 0:
		return unknown
	}
	return holds
}

// explain gives every unknown bound its cause, once the truth is stable, so that
// no cause of a value that was given up stays behind.
func (c *circuit) explain() error {
	c.lower.why, c.upper.why = make([]why, len(c.cells)), make([]why, len(c.cells))
	var work []int32
	blame := func(b *bound, i int32, w why) {
		if b.truth[i] != unknown || w == 0 {
			return
		}
		if joined := c.e.join(b.why[i], w); joined != b.why[i] {
			b.why[i] = joined
			work = append(work, i)
		}
	}
	for i := range c.cells {
		if c.cells[i].op == notOf {
			continue
		}
		if t, w := lowerSide(c.cells[i].acc); t == unknown {
			blame(&c.lower, int32(i), w)
		}
		if t, w := upperSide(c.cells[i].acc); t == unknown {
			blame(&c.upper, int32(i), w)
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		for _, r := range c.readers(i) {
			if err := c.e.pace(); err != nil {
				return err
			}
			from, to := &c.lower, &c.upper
			if c.cells[r].op == notOf {
				from, to = to, from
			}
			blame(&c.lower, r, from.why[i])
			blame(&c.upper, r, to.why[i])
		}
	}
	return nil
}
