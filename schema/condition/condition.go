// Package condition compiles and evaluates the conditions that tuples carry:
// CEL expressions (https://cel.dev) over typed parameters.
//
// Call Compile once, when a schema is written; NewRequest once per request, for
// its part of the context; and Program.Eval per tuple. The types of parameters,
// and which JSON they take, are package value's.
//
// What an expression may cost is bounded twice: Compile refuses one whose
// estimate is too high, and an evaluation that exceeds the bound all the same is
// an error. DESIGN.md says how.
package condition

// Limits of one condition.
const (
	// MaxBodyBytes is the longest expression.
	MaxBodyBytes = 8 << 10
	// MaxParams is the largest number of parameters.
	MaxParams = 64
	// MaxDepth is how deep an expression may nest.
	MaxDepth = 64
	// MaxNodes is the largest number of nodes of an expression, macros expanded.
	MaxNodes = 5_000
	// MaxComprehensions is how deep all(), exists(), map(), filter() may nest.
	MaxComprehensions = 2
	// MaxRegexpProgram is the largest size of a regular expression, in instructions
	// when compiled, and of all those in one expression together.
	MaxRegexpProgram = 2_000
	// MaxCost is the highest cost of an expression in CEL's units, by estimate
	// when it is compiled and by count when it is evaluated. It is about ten
	// milliseconds of work.
	MaxCost = 100_000
)

// Param is a parameter of a condition: a name and the text of its type, as
// value.ParseType reads it.
type Param struct {
	Name string
	Type string
}

// Result is what a condition says about one tuple.
type Result struct {
	Holds   bool     // meaningful when Missing is empty
	Missing []string // parameters that the result needs and nobody gave, sorted
	// Values holds what was read, as JSON, by parameter; the instant is "now()".
	// It is filled where Request.Trace asks for it, and belongs to an explanation.
	Values map[string]string
}
