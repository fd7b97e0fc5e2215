package condition

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// CEL prices matches() by the length of its pattern; "(a?){1000}" shows why that
// is no bound. This one is priced by the size of the compiled pattern, once and
// times the length of the string, and refuses before it runs what would exceed
// MaxCost.

// stepsPerCost is how many steps of a regular expression cost one unit.
const stepsPerCost = 20

// maxPatterns bounds the compiled patterns that one condition keeps.
const maxPatterns = 64

// patterns keeps the compiled patterns of one condition.
type patterns struct {
	mu       sync.Mutex // guards compiled
	compiled map[string]*pattern
}

type pattern struct {
	regexp *regexp.Regexp
	size   uint64 // instructions
	err    error
}

func (p *patterns) get(text string) *pattern {
	p.mu.Lock()
	defer p.mu.Unlock()
	if found := p.compiled[text]; found != nil {
		return found
	}
	found := compilePattern(text)
	if len(p.compiled) < maxPatterns {
		p.compiled[text] = found
	}
	return found
}

func compilePattern(text string) *pattern {
	if len(text) > MaxRegexpProgram {
		return &pattern{err: fmt.Errorf("the regular expression has %d bytes, %d are the most", len(text), MaxRegexpProgram)}
	}
	size, err := programSize(text)
	if err != nil {
		return &pattern{err: fmt.Errorf("this is not a regular expression: %w", err)}
	}
	if size > MaxRegexpProgram {
		return &pattern{err: fmt.Errorf("the regular expression takes %d instructions, %d are the most", size, MaxRegexpProgram)}
	}
	compiled, err := regexp.Compile(text)
	return &pattern{regexp: compiled, size: size, err: err}
}

// programSize is about how many instructions a pattern compiles to. It counts
// them on the parsed pattern: compiling "(a{1000}){…}" to find out takes long.
func programSize(text string) (uint64, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return 2 + regexpSize(parsed), nil
}

// regexpSize counts as regexp/syntax compiles; Parse bounds depth and repetition.
func regexpSize(re *syntax.Regexp) uint64 {
	total := uint64(0)
	for _, sub := range re.Sub {
		total += regexpSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return uint64(len(re.Rune))
	case syntax.OpRepeat:
		times := max(re.Min, re.Max, 1)
		return uint64(times) * (total + 1)
	case syntax.OpConcat:
		return total
	case syntax.OpCapture:
		return total + 2
	default:
		return total + 1
	}
}

func matchCost(subject string, size uint64) uint64 {
	return 1 + size + uint64(len(subject))*size/stepsPerCost // size: to compile it
}

// options declare matches() over these patterns, with its cost.
func (p *patterns) options() []cel.EnvOption {
	match := func(subject, text ref.Val) ref.Val {
		s, ok := subject.(types.String)
		t, also := text.(types.String)
		if !ok || !also {
			return types.MaybeNoSuchOverloadErr(text)
		}
		pattern := p.get(string(t))
		if pattern.err != nil {
			return types.NewErr("matches(): %v", pattern.err)
		}
		if matchCost(string(s), pattern.size) > MaxCost {
			return types.WrapErr(&EvalError{Code: CodeTooCost, Reason: "matches() would take too long: the string is too long for this regular expression"})
		}
		return types.Bool(pattern.regexp.MatchString(string(s)))
	}
	track := func(args []ref.Val, _ ref.Val) *uint64 {
		s, _ := args[0].(types.String)
		t, _ := args[1].(types.String)
		total := matchCost(string(s), p.get(string(t)).size)
		return &total
	}
	two := []*cel.Type{cel.StringType, cel.StringType}
	return []cel.EnvOption{
		cel.Function(overloads.Matches,
			cel.Overload(overloads.Matches, two, cel.BoolType),
			cel.MemberOverload(overloads.MatchesString, two, cel.BoolType),
			cel.SingletonBinaryBinding(match)),
		cel.CostModel(
			cost.Overload(overloads.Matches, cost.ManualCost(estimateMatch, track)),
			cost.MemberOverload(overloads.MatchesString, cost.ManualCost(estimateMatch, track))),
	}
}

// usualPattern is the size that a pattern is taken to have where it is no literal.
const usualPattern = 64

func estimateMatch(estimator cost.Estimator, target *cost.AstNode, args []cost.AstNode) *cost.CallEstimate {
	if target != nil {
		args = append([]cost.AstNode{*target}, args...)
	}
	if len(args) != 2 {
		return nil
	}
	program := uint64(usualPattern)
	if e := args[1].Expr(); e != nil && e.Kind() == ast.LiteralKind {
		if text, ok := e.AsLiteral().(types.String); ok {
			program, _ = programSize(string(text)) // shape has reported what is no pattern
		}
	} else if hint := estimator.EstimateSize(args[1]); hint == nil || hint.Max > usualBytes {
		program = MaxRegexpProgram
	}
	size := cost.EstimateSize(estimator, args[0])
	return cost.NewCallEstimate(size.MultiplyByCostFactor(float64(program)/stepsPerCost).Add(cost.FixedCostEstimate(1+program)), nil)
}
