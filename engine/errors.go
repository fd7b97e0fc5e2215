package engine

import (
	"errors"
	"fmt"

	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// ErrNoSchema says that a view has no schema, so that no name means anything.
var ErrNoSchema = errors.New("there is no schema: write one first")

// NameError says that a question names what the schema does not have.
type NameError struct {
	What       string // "type" or "permission" (which a relation is, too)
	Name       string
	Type       string // the type that lacks the permission; "" for a type
	Suggestion string // the name that is nearest; "" when none is near
}

// Error names the thing and its near miss.
func (e *NameError) Error() string {
	text := fmt.Sprintf("the schema has no type %q", e.Name)
	if e.What != "type" {
		text = fmt.Sprintf("type %q has no relation or permission %q", e.Type, e.Name)
	}
	if e.Suggestion != "" {
		text += fmt.Sprintf(": did you mean %q?", e.Suggestion)
	}
	return text
}

// SingletonError says that a question names an object of a type that has only
// one, and not that one.
type SingletonError struct {
	Object tuple.Object
	Only   string // the id of the only object
}

// Error names the object and the only one that there is.
func (e *SingletonError) Error() string {
	return fmt.Sprintf("there is no %s: %s:%s is the only object of its type", e.Object, e.Object.Type, e.Only)
}

// ContextualError says that a contextual tuple would not be admitted if it were written.
type ContextualError struct {
	Index int // of the tuple in View.Contextual
	Tuple tuple.Tuple
	Err   error
}

// Error names the tuple and the fault.
func (e *ContextualError) Error() string {
	return fmt.Sprintf("contextual tuple %d (%s): %v", e.Index, e.Tuple, e.Err)
}

// Unwrap returns the fault.
func (e *ContextualError) Unwrap() error { return e.Err }

// ConditionError says that the condition of a tuple could not be evaluated.
type ConditionError struct {
	Condition string
	Err       error
}

// Error names the condition.
func (e *ConditionError) Error() string {
	var named *condition.EvalError
	if errors.As(e.Err, &named) {
		return e.Err.Error()
	}
	return fmt.Sprintf("condition %s: %v", e.Condition, e.Err)
}

// Unwrap returns the fault of the expression.
func (e *ConditionError) Unwrap() error { return e.Err }
