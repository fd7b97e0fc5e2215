package condition

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/overloads"

	"github.com/pemba-authz/pemba/schema/condition/value"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Program is a compiled condition. It never changes and may be shared.
type Program struct {
	Name   string
	Params []Param
	Source string // the body, as it was given

	types   []*value.Type
	used    []bool
	empty   []slot // what a context without values gives
	program cel.Program
	decoded contextCache
}

// Compile checks and compiles a condition. The error is a *CompileError and lists
// all that is wrong; its places count from the beginning of the body.
func Compile(name string, params []Param, body string) (*Program, error) {
	c := compiler{program: &Program{Name: name, Params: slices.Clone(params), Source: body}}
	c.params()
	c.body()
	if len(c.faults) > 0 {
		slices.SortStableFunc(c.faults, func(a, b *Fault) int {
			return (a.Line-b.Line)<<16 + a.Column - b.Column
		})
		return nil, &CompileError{Condition: name, Faults: c.faults}
	}
	return c.program, nil
}

// Unused returns the parameters that the expression does not name, in their order.
func (p *Program) Unused() []string {
	var unused []string
	for i, param := range p.Params {
		if !p.used[i] {
			unused = append(unused, param.Name)
		}
	}
	return unused
}

type compiler struct {
	program *Program
	faults  []*Fault
	vars    []cel.EnvOption
}

func (c *compiler) fail(f Fault) { c.faults = append(c.faults, &f) }

func (c *compiler) params() {
	p := c.program
	p.types = make([]*value.Type, len(p.Params))
	p.used = make([]bool, len(p.Params))
	p.empty = make([]slot, len(p.Params))
	if len(p.Params) > MaxParams {
		c.fail(Fault{Code: CodeTooLarge, Message: fmt.Sprintf("the condition has %d parameters, %d are the most", len(p.Params), MaxParams)})
		p.Params = p.Params[:MaxParams]
	}
	seen := map[string]bool{}
	for i, param := range p.Params {
		if err := validName(param.Name); err != nil {
			c.fail(Fault{Code: CodeParam, Param: param.Name, Message: err.Error(), Suggestion: "rename the parameter"})
			continue
		}
		if seen[param.Name] {
			c.fail(Fault{Code: CodeParam, Param: param.Name, Message: "the parameter stands twice", Suggestion: "rename or remove one"})
			continue
		}
		seen[param.Name] = true
		t, err := value.ParseType(param.Type)
		var invalid *value.TypeError
		switch {
		case errors.As(err, &invalid):
			c.fail(Fault{Code: CodeParam, Param: param.Name, Message: invalid.Message, Suggestion: invalid.Suggestion})
			// Its uses are not at fault as well.
			c.vars = append(c.vars, cel.Variable(param.Name, cel.DynType))
		default:
			p.types[i] = t
			c.vars = append(c.vars, cel.Variable(param.Name, celType(t)))
		}
	}
}

// reserved are the words that CEL does not take as identifiers.
var reserved = strings.Fields("as break const continue else false for function if import in let loop namespace null package return true var void while")

func validName(name string) error {
	if name == "" {
		return errors.New("a parameter needs a name")
	}
	for i := range len(name) {
		c := name[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return errors.New("a parameter's name has letters, digits and '_' only, and begins with no digit, for CEL reads it")
		}
	}
	if len(name) > tuple.MaxNameBytes {
		return fmt.Errorf("the name has %d bytes, %d are the most", len(name), tuple.MaxNameBytes)
	}
	if slices.Contains(reserved, name) {
		return fmt.Errorf("%s is a reserved word of CEL", name)
	}
	return nil
}

func celType(t *value.Type) *cel.Type {
	switch t.Kind {
	case value.Bool:
		return cel.BoolType
	case value.Int:
		return cel.IntType
	case value.Uint:
		return cel.UintType
	case value.Double:
		return cel.DoubleType
	case value.String:
		return cel.StringType
	case value.Bytes:
		return cel.BytesType
	case value.Duration:
		return cel.DurationType
	case value.Timestamp:
		return cel.TimestampType
	case value.IPAddress:
		return ipType
	case value.List:
		return cel.ListType(celType(t.Element))
	case value.Map:
		return cel.MapType(cel.StringType, celType(t.Element))
	default:
		return cel.DynType
	}
}

func (c *compiler) body() {
	body := c.program.Source
	if len(body) > MaxBodyBytes {
		c.fail(Fault{Code: CodeTooLarge, Message: fmt.Sprintf("the expression has %d bytes, %d are the most", len(body), MaxBodyBytes),
			Suggestion: "split it into several conditions"})
		return
	}
	if strings.TrimSpace(body) == "" {
		c.fail(Fault{Code: CodeSyntax, Line: 1, Column: 1, Message: "the expression is empty", Suggestion: "write a CEL expression that is true or false"})
		return
	}
	base, err := environment()
	if err != nil {
		c.fail(Fault{Code: CodeEval, Message: err.Error()})
		return
	}
	options := c.vars
	if strings.Contains(body, overloads.Matches) {
		options = append(options, (&patterns{compiled: map[string]*pattern{}}).options()...)
	}
	env, err := base.Extend(options...)
	if err != nil {
		c.fail(Fault{Code: CodeParam, Message: err.Error()})
		return
	}
	parsed, issues := env.Parse(body)
	if issues.Err() != nil {
		c.translate(issues.Errors())
		return
	}
	if !c.shape(parsed.NativeRep()) { // before the types, whose check takes long on hostile shapes
		return
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		c.translate(issues.Errors())
		return
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) {
		suggestion := "compare it with something, so that it is true or false"
		if t.IsExactType(cel.DynType) {
			suggestion = "its type is known only when it is evaluated: compare it, with == true"
		}
		c.fail(Fault{Code: CodeType, Line: 1, Column: 1, Message: fmt.Sprintf("the expression is a %s, not a bool", t), Suggestion: suggestion})
		return
	}
	if len(c.faults) > 0 {
		return
	}
	c.uses(checked)
	c.plan(env, checked)
}

// uses notes which parameters the expression names.
func (c *compiler) uses(checked *cel.Ast) {
	names := map[string]bool{}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind {
			names[strings.TrimPrefix(e.AsIdent(), ".")] = true
		}
	}))
	for i, param := range c.program.Params {
		c.program.used[i] = names[param.Name]
	}
}
