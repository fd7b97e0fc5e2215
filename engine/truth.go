package engine

import (
	"slices"
	"strings"
)

// truth is Kleene's three-valued logic as a chain, denied < unknown < holds: or
// is the greater, and is the smaller, not turns the chain round. Unknown is what
// a condition says whose context is missing or whose expression fails.
type truth uint8

const (
	denied truth = iota
	unknown
	holds
)

func (t truth) not() truth { return holds - t }

// value is what an atom or an expression has for a subject: a lower and an upper
// bound of the well-founded model. They differ only for what depends on its own
// negation; an answer is the lower one. Each unknown bound carries its cause.
type value struct {
	lower, upper truth
	lowerWhy     why
	upperWhy     why
}

var (
	never  = value{lower: denied, upper: denied}
	always = value{lower: holds, upper: holds}
)

func uncertain(w why) value { return value{lower: unknown, upper: unknown, lowerWhy: w, upperWhy: w} }

// or, and, not are the operators, once, for every question the engine answers.
// They are commutative and associative, causes included, so the order of
// operands never shows in an outcome.
func (c *causes) or(a, b value) value {
	var v value
	v.lower, v.lowerWhy = c.greater(a.lower, b.lower, a.lowerWhy, b.lowerWhy)
	v.upper, v.upperWhy = c.greater(a.upper, b.upper, a.upperWhy, b.upperWhy)
	return v
}

func (c *causes) and(a, b value) value {
	var v value
	v.lower, v.lowerWhy = c.smaller(a.lower, b.lower, a.lowerWhy, b.lowerWhy)
	v.upper, v.upperWhy = c.smaller(a.upper, b.upper, a.upperWhy, b.upperWhy)
	return v
}

func not(a value) value {
	return value{lower: a.upper.not(), upper: a.lower.not(), lowerWhy: a.upperWhy, upperWhy: a.lowerWhy}
}

func (c *causes) greater(a, b truth, wa, wb why) (truth, why) {
	switch {
	case a > b:
		return a, wa
	case b > a:
		return b, wb
	case a == unknown:
		return a, c.join(wa, wb)
	}
	return a, 0
}

func (c *causes) smaller(a, b truth, wa, wb why) (truth, why) {
	switch {
	case a < b:
		return a, wa
	case b < a:
		return b, wb
	case a == unknown:
		return a, c.join(wa, wb)
	}
	return a, 0
}

// why numbers a cause of being unknown in a request's causes; 0 is none.
type why int32

// cause is why something is unknown: context that nobody gave, an expression
// that failed, or both over several tuples.
type cause struct {
	missing []string // sorted
	err     error    // of several the one whose text is the least, so that order never shows
}

// causes interns the causes of one request, so that a value stays small and
// joining is a map look-up.
type causes struct {
	list   []cause // by why; the first is no cause
	joined map[[2]why]why
	byText map[string]why
}

// reset leaves no cause but none.
func (c *causes) reset() {
	clear(c.list)
	c.list = append(c.list[:0], cause{})
	empty(c.joined)
	empty(c.byText)
}

// intern returns the number of a cause; equal causes have equal numbers.
func (c *causes) intern(k cause) why {
	text := strings.Join(k.missing, "\x00")
	if k.err != nil {
		text += "\x01" + k.err.Error()
	}
	if w, ok := c.byText[text]; ok {
		return w
	}
	if c.byText == nil {
		c.byText, c.joined = map[string]why{}, map[[2]why]why{}
	}
	w := why(len(c.list))
	c.list = append(c.list, k)
	c.byText[text] = w
	return w
}

// join returns the cause that names all that both name.
func (c *causes) join(a, b why) why {
	if a == b || b == 0 {
		return a
	}
	if a == 0 {
		return b
	}
	if a > b {
		a, b = b, a
	}
	if w, ok := c.joined[[2]why{a, b}]; ok {
		return w
	}
	left, right := c.list[a], c.list[b]
	k := cause{missing: slices.Concat(left.missing, right.missing), err: left.err}
	slices.Sort(k.missing)
	k.missing = slices.Compact(k.missing)
	if k.err == nil || right.err != nil && right.err.Error() < k.err.Error() {
		k.err = right.err
	}
	w := c.intern(k)
	c.joined[[2]why{a, b}] = w
	return w
}
