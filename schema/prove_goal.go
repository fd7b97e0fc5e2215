package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// goalKind tells the two things apart that are proven of two terms.
type goalKind uint8

const (
	subset   goalKind = iota // whoever is in left is in right
	disjoint                 // nobody is in both
)

// goal is one thing to prove about subjects of one type. Goals are compared, so
// a goal that comes up again is recognised.
type goal struct {
	kind        goalKind
	subject     tuple.TypeID
	left, right term
}

// term is a set of subjects: a relation of an object, or (expr set) a part of
// that relation's rewrite.
type term struct {
	relation *Relation
	expr     *Expr
	object   objectTerm
}

// objectTerm is the object that a term is about: one that the schema names, or
// a variable. Two terms are about the same object when theirs are equal.
type objectTerm struct {
	id       string // of a singleton or a fixed object
	variable objectVariable
}

type objectVariable uint8

const (
	theOne   objectVariable = iota + 1 // the object that the goal is about
	another                            // some object that nothing else names
	yetOther                           // and one more
)

// maxProofSteps bounds the search for one claim, maxProofDepth how many goals may
// be open at once. The examples' claims take a few dozen steps.
const (
	maxProofSteps  = 20_000
	maxSchemaSteps = 1_000_000 // of all claims of a schema together
	maxProofDepth  = 300
)

// prover searches for a proof of a goal.
//
// A goal that comes up again while it is being proven holds by induction over
// how the subject got into the left set (for disjoint: into both), provided that
// the sets were unfolded in between; in a subset goal unfolding the right alone
// is no progress. A subset goal that turns into a disjoint one about the right
// of an exclusion assumes a membership that is not part of the induction, so
// hypotheses from below that point (barrier) may not be used above it.
type prover struct {
	graph *typeGraph
	known map[goal]bool
	open  []openGoal
	// barrier is the depth below which open goals are no hypotheses.
	barrier  int
	progress int // how often a left side was unfolded on the way here
	steps    int
	spent    int // steps of the claims before
	// used is the lowest open goal that the current result depends on.
	used  int
	stuck string // where the search first found nothing to go on with
}

type openGoal struct {
	goal     goal
	progress int
}

func (p *prover) prove(g goal) bool {
	g = canonical(g)
	if result, ok := p.known[g]; ok {
		return result
	}
	p.steps++
	if p.steps > maxProofSteps || len(p.open) > maxProofDepth {
		p.steps = maxProofSteps + 1
		return false
	}
	for i, o := range p.open {
		if o.goal != g {
			continue
		}
		p.used = min(p.used, i)
		return i >= p.barrier && p.progress > o.progress
	}
	depth := len(p.open)
	outer := p.used
	p.used = depth
	p.open = append(p.open, openGoal{g, p.progress})
	result := p.attempt(g)
	p.open = p.open[:depth]
	if p.used >= depth && p.steps <= maxProofSteps {
		p.known[g] = result // it stands on its own, whatever was open below
	}
	p.used = min(outer, p.used)
	return result
}

// canonical renames the variables: only whether the two sides are about one
// object matters.
func canonical(g goal) goal {
	same := g.left.object == g.right.object
	if g.left.object.id == "" {
		g.left.object.variable = theOne
	}
	if g.right.object.id == "" {
		g.right.object.variable = another
		if same {
			g.right.object.variable = theOne
		}
	}
	return g
}

func (p *prover) attempt(g goal) bool {
	if !p.graph.canHold(g.left, g.subject) {
		return true // nobody of this type is there
	}
	if g.kind == disjoint && !p.graph.canHold(g.right, g.subject) {
		return true
	}
	if g.kind == subset && g.left == g.right {
		return true
	}
	if g.left.expr == nil {
		if acts := actsOn(p.graph.schema, g.subject, g.left.relation.Type.ID); acts != nil {
			return p.attemptActing(g, acts)
		}
	}
	if g.kind == disjoint {
		return p.separate(g) || p.separate(swapped(g))
	}
	return p.containRight(g) || p.containLeft(g)
}

// attemptActing is for a subject that acts for its owner on the left's type: it
// is in exactly those listed sets that the owner is in.
func (p *prover) attemptActing(g goal, acts *Acts) bool {
	r := g.right
	if r.expr != nil || r.relation.Type != g.left.relation.Type || g.kind == subset && r.object != g.left.object {
		if g.kind == disjoint {
			return p.separate(swapped(g))
		}
		return p.containRight(g)
	}
	if !acts.Permissions[r.relation.ID] {
		return g.kind == disjoint
	}
	owner := p.graph.schema.Relation(acts.Owner)
	if g.kind == disjoint && owner.AtMost != 1 {
		return p.fail("%s may have several owners, one in each", owner.Type.Name)
	}
	return p.graph.subjects[owner.ID].each(func(t tuple.TypeID) bool {
		return p.prove(goal{g.kind, t, g.left, g.right})
	})
}

func swapped(g goal) goal {
	g.left, g.right = g.right, g.left
	return g
}

// fail notes where a proof found nothing to go on with; the first place is shown.
func (p *prover) fail(format string, args ...any) bool {
	if p.stuck == "" {
		p.stuck = fmt.Sprintf(format, args...)
	}
	return false
}
