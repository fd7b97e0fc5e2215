package condition

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// plan refuses what costs too much and builds the program. The cost is estimated
// twice: for values of usual sizes, which must stay below MaxCost, and for the
// largest that a context can hold. Where even those stay below it, evaluation
// need not count.
func (c *compiler) plan(env *cel.Env, checked *cel.Ast) {
	usual, err := env.EstimateCost(checked, sizes{elements: usualElements, bytes: usualBytes, guess: true})
	if err != nil {
		c.fail(Fault{Code: CodeTooCost, Message: fmt.Sprintf("the cost of the expression cannot be estimated: %v", err)})
		return
	}
	if usual.Max > MaxCost {
		c.fail(Fault{Code: CodeTooCost, Line: 1, Column: 1,
			Message:    fmt.Sprintf("the expression could take too long: over lists of %d elements its cost is more than %d", usualElements, MaxCost),
			Suggestion: "nest fewer loops, or prepare the values before they go into the context"})
		return
	}
	// While it counts, sizes are of all that is inside a value: comparing maps of
	// maps costs what it takes.
	counting, err := env.Extend(cel.CostSizingStrategy(sizing))
	if err != nil {
		c.fail(Fault{Code: CodeTooCost, Message: err.Error()})
		return
	}
	var options []cel.ProgramOption
	if !strings.Contains(c.program.Source, overloads.Matches) { // the optimizer would put CEL's own matches() back
		options = append(options, cel.EvalOptions(cel.OptOptimize))
	}
	if !bounded(counting, checked) {
		options = append(options, cel.CostLimit(MaxCost))
	}
	if c.program.program, err = counting.Program(checked, options...); err != nil {
		c.fail(Fault{Code: CodeType, Line: 1, Column: 1, Message: err.Error()})
	}
}

// sizing sizes a value with all that is inside, as deep and as large as contexts
// get and a few put together.
var sizing = cost.AggregateSizingStrategy(types.SizeCalculatorMaxDepth(4*tuple.MaxContextDepth),
	types.SizeCalculatorMaxTraversal(4*largestContext))

// bounded says whether no context at all can make an expression cost more than
// MaxCost.
func bounded(counting *cel.Env, checked *cel.Ast) bool {
	worst, err := counting.EstimateCost(checked, sizes{elements: largestContext / 2, bytes: largestContext})
	return err == nil && worst.Max <= MaxCost
}

// largestContext is the most bytes that a tuple and a request give together.
const largestContext = tuple.MaxContextBytes + MaxRequestBytes

// The sizes that Compile takes for usual.
const (
	usualElements = 64
	usualBytes    = 64
)

// sizes tells the estimator how large values are.
type sizes struct {
	elements uint64 // of a list or map
	bytes    uint64 // of a string, bytes, or a value of any type
	guess    bool   // say so too of what is not reached from a parameter
}

// EstimateCallCost leaves the cost of calls to CEL's model.
func (s sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

// EstimateSize sizes what is reached from a parameter; the rest only as a guess,
// which is no bound.
func (s sizes) EstimateSize(node cost.AstNode) *cost.SizeEstimate {
	if node.Type() == nil || len(node.Path()) == 0 && !s.guess {
		return nil
	}
	var size cost.SizeEstimate
	switch node.Type().Kind() {
	case types.ListKind, types.MapKind:
		size = cost.RangedSizeEstimate(0, s.elements)
	case types.StringKind, types.BytesKind, types.DynKind, types.AnyKind:
		size = cost.RangedSizeEstimate(0, s.bytes)
	default:
		size = cost.FixedSizeEstimate(1)
	}
	return &size
}
