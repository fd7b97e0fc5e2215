package engine

import (
	"math"

	"github.com/pemba-authz/pemba/schema"
)

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

// Forms says how many relations of a schema have a form, and how many terms went
// into finding that out.
func Forms(s *schema.Schema) (forms, terms int) {
	p := planOf(s)
	for i := range p.relations {
		if p.relations[i].form != nil {
			forms++
		}
	}
	return forms, p.terms
}
