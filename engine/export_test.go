package engine

import "math"

// ClimbAtOnce makes every check walk upwards from its subject first, so that
// small worlds test it, too. It returns what sets that back.
func ClimbAtOnce() (restore func()) { return climbAfter(0) }

// ClimbNever makes every check walk downwards alone.
func ClimbNever() (restore func()) { return climbAfter(math.MaxUint) }

func climbAfter(steps uint) (restore func()) {
	old := firstClimbs
	firstClimbs = [everything + 1]uint{carriers: steps, everything: steps}
	return func() { firstClimbs = old }
}
