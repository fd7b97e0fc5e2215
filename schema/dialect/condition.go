package dialect

import (
	"errors"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/source"
)

// CompileCondition compiles an expression as it stands in the source, so that
// what is wrong with it is reported where it stands there. Quoted says that the
// body stood in a string: places inside it are then not known. It returns nil
// where it reports a fault.
func (r *Reporter) CompileCondition(name string, at source.Place, params []ast.Param, body string, bodyAt source.Place, quoted bool) *condition.Program {
	list := make([]condition.Param, len(params))
	for i, p := range params {
		list[i] = condition.Param{Name: p.Name.Text, Type: p.Type}
	}
	program, err := condition.Compile(name, list, body)
	if err == nil {
		return program
	}
	var faults *condition.CompileError
	if !errors.As(err, &faults) {
		r.Refuse(condition.CodeSyntax, at, len(name), err.Error(), "")
		return nil
	}
	for _, f := range faults.Faults {
		switch {
		case f.Line == 0:
			r.Refuse(f.Code, at, len(name), f.Message, f.Suggestion)
		case quoted:
			r.Refuse(f.Code, bodyAt, 1, f.Message, f.Suggestion)
		default:
			r.Refuse(f.Code, inBody(bodyAt, f.Line, f.Column), 1, f.Message, f.Suggestion)
		}
	}
	return nil
}

// inBody returns the place of a line and column that count from the beginning of
// a body.
func inBody(body source.Place, line, column int) source.Place {
	if line == 1 {
		body.Column += column - 1
		return body
	}
	body.Line += line - 1
	body.Column = column
	return body
}
