package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Explanation is an answer with what it rests on.
type Explanation struct {
	Question Question
	Answer   Answer
	Root     *Step
}

// StepKind tells the steps of an explanation apart.
type StepKind string

// The kinds of steps.
const (
	StepName         StepKind = "name"         // object#relation for the subject; its step is the rewrite
	StepTuple        StepKind = "tuple"        // a tuple that is there; its step is the userset or object it leads to
	StepDirect       StepKind = "direct"       // the relation's own tuples
	StepUnion        StepKind = "union"        // any of its steps
	StepIntersection StepKind = "intersection" // all of its steps
	StepExclusion    StepKind = "exclusion"    // its first step except its second
	StepArrow        StepKind = "arrow"        // any of the objects that tuples lead to
	StepEvery        StepKind = "every"        // all of them, and at least one
	StepSealed       StepKind = "sealed"       // subjects that the schema fixes
	StepActs         StepKind = "acts_for"     // the owners that the subject acts for
	StepSelf         StepKind = "self"
	StepNobody       StepKind = "nobody"
)

// Step is one node of an explanation: what was asked, what it came to, and the
// steps it rests on. Where it is allowed these are a sufficient reason, and never
// a circular one; where it is not, they are all that was tried.
type Step struct {
	Kind      StepKind
	Object    tuple.Object
	Relation  string
	Subject   tuple.Subject // whom it was asked for
	Outcome   Outcome
	Failed    bool     // the outcome is an error, which the whole answer did not hang on
	Missing   []string // Conditional: the context that was not given
	Rewrite   string   // the part of the schema, as the language has it
	Place     source.Place
	Tuple     *tuple.Tuple
	Condition *ConditionStep
	Reason    string // in words, where the steps do not say it: expired, no such tuple, shown above
	Steps     []*Step
}

// ConditionStep is what a tuple's condition said, with the values that decided.
type ConditionStep struct {
	Name    string
	Outcome Outcome
	Missing []string
	Err     string            // why it could not be evaluated
	Values  map[string]string // as JSON, by parameter
}

// String names the outcome: allowed, denied or conditional.
func (o Outcome) String() string {
	switch o {
	case Allowed:
		return "allowed"
	case Conditional:
		return "conditional"
	}
	return "denied"
}

// String renders the explanation for a person, one step per line.
func (x *Explanation) String() string {
	var b strings.Builder
	q := x.Question
	fmt.Fprintf(&b, "%s: %s %s %s%s\n", x.Answer.Outcome, q.Subject, q.Permission, q.Object, missing(x.Answer.Missing))
	x.Root.render(&b, "  ")
	return b.String()
}

func (s *Step) render(b *strings.Builder, indent string) {
	mark := map[Outcome]string{Allowed: "+", Conditional: "?", Denied: "-"}[s.Outcome]
	if s.Failed {
		mark = "!"
	}
	fmt.Fprintf(b, "%s%s %s%s", indent, mark, s.headline(), missing(s.Missing))
	if s.Reason != "" {
		fmt.Fprintf(b, ": %s", s.Reason)
	}
	if c := s.Condition; c != nil {
		b.WriteString(": " + c.sentence())
	}
	if s.Place != (source.Place{}) {
		fmt.Fprintf(b, "  (%s)", s.Place)
	}
	b.WriteByte('\n')
	for _, child := range s.Steps {
		child.render(b, indent+"  ")
	}
}

// headline is what a step is about.
func (s *Step) headline() string {
	switch s.Kind {
	case StepName:
		return fmt.Sprintf("%s#%s for %s", s.Object, s.Relation, s.Subject)
	case StepTuple:
		return "tuple " + s.Tuple.String()
	case StepActs:
		return fmt.Sprintf("%s acts for its owners", s.Subject)
	case StepSealed:
		return "sealed: the schema fixes who is in " + s.Object.String() + "#" + s.Relation
	}
	return s.Rewrite
}

// sentence says what a condition came to and by which values.
func (c *ConditionStep) sentence() string {
	text := "condition " + c.Name
	switch {
	case c.Err != "":
		text += " failed: " + c.Err
	case c.Outcome == Allowed:
		text += " holds"
	case c.Outcome == Denied:
		text += " does not hold"
	default:
		text += " is open" + missing(c.Missing)
	}
	names := make([]string, 0, len(c.Values))
	for name := range c.Values {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = name + " = " + c.Values[name]
	}
	if len(names) > 0 {
		text += " with " + strings.Join(names, ", ")
	}
	return text
}

func missing(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (missing " + strings.Join(names, ", ") + ")"
}
