package condition

import (
	"fmt"
	"strings"
)

// Codes of faults and evaluation errors. They are stable.
const (
	CodeParam    = "condition_parameter"  // a parameter has no valid name or type
	CodeSyntax   = "condition_syntax"     // the expression is not CEL
	CodeName     = "condition_name"       // the expression names what there is not
	CodeType     = "condition_type"       // the types in the expression do not fit
	CodeTooLarge = "condition_too_large"  // too long, too deep, too many nodes or parameters
	CodeTooCost  = "condition_too_costly" // it could take, or took, too long
	CodeValue    = "condition_value"      // a value of the context has the wrong type
	CodeEval     = "condition_evaluation" // the expression failed on these values
)

// Fault is one thing that is wrong with a condition.
type Fault struct {
	Code string
	// Param is the parameter that is at fault; "" when the expression is.
	Param string
	// Line and Column say where in the body, from 1, the column in characters;
	// 0 when a parameter is at fault or the condition as a whole.
	Line, Column int
	Message      string
	Suggestion   string // what to do; "" when there is nothing to say
}

// CompileError lists all that is wrong with a condition, in the order of places.
type CompileError struct {
	Condition string
	Faults    []*Fault
}

// Error returns one line per fault.
func (e *CompileError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = "condition " + e.Condition
		if f.Param != "" {
			lines[i] += ", parameter " + f.Param
		}
		if f.Line > 0 {
			lines[i] += fmt.Sprintf(", %d:%d", f.Line, f.Column)
		}
		lines[i] += ": " + f.Message
		if f.Suggestion != "" {
			lines[i] += ": " + f.Suggestion
		}
	}
	return strings.Join(lines, "\n")
}

// EvalError says why a condition could not be evaluated. It is never an answer:
// neither held nor not.
type EvalError struct {
	Code      string // CodeValue, CodeEval or CodeTooCost
	Condition string
	Parameter string // CodeValue: whose value it is
	Kind      string // CodeValue: what was found: null, boolean, number, string, array, object
	Expected  string // CodeValue: the type of the parameter, or of the element at fault
	Reason    string
	cause     error
}

// Error names the condition, the parameter, what was found and what was expected.
func (e *EvalError) Error() string {
	if e.Parameter != "" {
		return fmt.Sprintf("condition %s, parameter %s: %s", e.Condition, e.Parameter, e.Reason)
	}
	return fmt.Sprintf("condition %s: %s", e.Condition, e.Reason)
}

// Unwrap returns the *value.MismatchError behind CodeValue, or the error of CEL.
func (e *EvalError) Unwrap() error { return e.cause }
