// Package condition compiles and evaluates the conditions that tuples carry:
// CEL expressions (https://cel.dev) over typed parameters.
//
// Call Compile once, when a schema is written, and Program.Eval per tuple.
package condition

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Param is a parameter of a condition: a name and the text of its type.
type Param struct {
	Name string
	Type string // bool, int, uint, double, string, bytes, duration, timestamp, ipaddress, any, list<T>, map<T>
}

// Program is a compiled condition. It is immutable and may be shared.
type Program struct {
	Params []Param
	Source string
}

// Result is what a condition says about one tuple.
type Result struct {
	Holds   bool              // meaningful when Missing is empty
	Missing []string          // parameters that the expression needed and nobody gave, sorted
	Values  map[string]string // the values that were read, as JSON, for explanations; only where asked for
}

// Request is the request's part of the context, decoded once per request.
type Request struct {
	// Values holds the raw JSON of every name.
	Values map[string][]byte
	Now    time.Time
}

// Eval evaluates the condition: the tuple's context wins over the request's. An
// error of the expression or a value of the wrong type is an error.
func (p *Program) Eval(tupleContext tuple.Context, request *Request) (Result, error) {
	panic("contract")
}
