package condition

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
)

// shape refuses loops inside too many loops and regular expressions that are
// none or too large; false when it has. It looks at the syntax alone.
func (c *compiler) shape(parsed *ast.AST) bool {
	s := shaper{compiler: c, info: parsed.SourceInfo(), left: MaxRegexpProgram}
	before := len(c.faults)
	s.walk(parsed.Expr(), 0)
	return len(c.faults) == before
}

type shaper struct {
	*compiler
	info *ast.SourceInfo
	left uint64 // instructions that further regular expressions may have
}

// walk visits an expression inside a number of loops. MaxDepth bounds it.
func (s *shaper) walk(e ast.Expr, loops int) {
	switch e.Kind() {
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			s.walk(call.Target(), loops)
		}
		for _, arg := range call.Args() {
			s.walk(arg, loops)
		}
		if call.FunctionName() == overloads.Matches && len(call.Args()) > 0 {
			s.pattern(call.Args()[len(call.Args())-1])
		}
	case ast.ComprehensionKind:
		loop := e.AsComprehension()
		if r := loop.IterRange(); r.Kind() != ast.ListKind || r.AsList().Size() > 0 { // an empty range only binds a name
			loops++
		}
		if loops > MaxComprehensions {
			s.place(e, Fault{Code: CodeTooCost, Message: fmt.Sprintf(
				"loops nest too deep: %d all(), exists(), map(), filter() inside each other are the most", MaxComprehensions)})
			return
		}
		for _, part := range []ast.Expr{loop.IterRange(), loop.AccuInit(), loop.LoopCondition(), loop.LoopStep(), loop.Result()} {
			s.walk(part, loops)
		}
	case ast.ListKind:
		for _, element := range e.AsList().Elements() {
			s.walk(element, loops)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			s.walk(entry.AsMapEntry().Key(), loops)
			s.walk(entry.AsMapEntry().Value(), loops)
		}
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			s.walk(f.AsStructField().Value(), loops)
		}
	case ast.SelectKind:
		s.walk(e.AsSelect().Operand(), loops)
	}
}

// pattern judges a regular expression that stands in the expression itself.
func (s *shaper) pattern(e ast.Expr) {
	if e.Kind() != ast.LiteralKind {
		return
	}
	text, ok := e.AsLiteral().(types.String)
	if !ok {
		return // the types will not fit
	}
	size, err := programSize(string(text))
	switch {
	case err != nil:
		s.place(e, Fault{Code: CodeType, Message: "this is not a regular expression",
			Suggestion: "CEL's are those of RE2, without look-around and back references"})
	case size > s.left:
		s.place(e, Fault{Code: CodeTooLarge, Message: fmt.Sprintf(
			"the regular expression is too large: it takes %d instructions, and all in a condition %d at most", size, MaxRegexpProgram)})
	default:
		s.left -= size
	}
}

// place reports a fault at an expression.
func (s *shaper) place(e ast.Expr, f Fault) {
	if len(s.faults) >= maxFaults {
		return
	}
	at := s.info.GetStartLocation(e.ID())
	f.Line, f.Column = max(at.Line(), 1), max(at.Column()+1, 1)
	s.fail(f)
}
