package openfga

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// foreignFunctions are functions of Pemba's conditions that OpenFGA's lack.
var foreignFunctions = []string{"now", "isSubtreeOf"}

// checkCondition compiles the expression and refuses functions that OpenFGA lacks.
func (w *world) checkCondition(c *conditionDef) {
	if c.body.Text == "" {
		if !w.report.Failed() { // else it did not parse
			w.refuse("no_expression", c.name, fmt.Sprintf("the condition %s has no expression", tuple.Clip(c.name.Text)), "")
		}
		return
	}
	for _, word := range dialect.CELWords(c.body.Text) {
		if word.Called && slices.Contains(foreignFunctions, word.Text) {
			at := c.body.Place
			if !c.quoted {
				at = dialect.Inside(at, c.body.Text, word.Offset)
			}
			w.report.Refuse("unknown_function", at, len(word.Text), fmt.Sprintf("the function %s is not one of OpenFGA's conditions", word.Text), "")
		}
	}
	c.program = w.report.CompileCondition(c.name.Text, c.name.Place, c.astParams(), c.body.Text, c.body.Place, c.quoted)
}

func (c *conditionDef) astParams() []ast.Param {
	out := make([]ast.Param, len(c.params))
	for i, p := range c.params {
		out[i] = ast.Param{Name: ast.N(p.name.Text), Type: p.typ}
	}
	return out
}

func (w *world) condition(c *conditionDef) *ast.Condition {
	out := &ast.Condition{Notes: dialect.Notes(true, c.comments), Name: ast.N(ConditionName(c.name.Text)), Params: c.astParams(), Body: strings.TrimSpace(c.body.Text)}
	names := make([]string, len(c.params))
	for i, p := range c.params {
		names[i] = p.name.Text
	}
	if len(c.program.Unused()) > 0 || len(names) > 1 && dialect.CELBranches(c.body.Text) {
		out.Body = needAll(names, out.Body)
		w.noteAll(c)
	}
	return out
}

// noteAll tells of a condition whose expression was put behind its parameters.
func (w *world) noteAll(c *conditionDef) {
	w.report.Note("every_parameter", c.name.Place, len(c.name.Text),
		fmt.Sprintf("the condition %s asks for all of its parameters, as OpenFGA does, before it looks at its expression", c.name.Text), "")
}

// needAll puts an expression behind its parameters. OpenFGA decides a condition
// only when all of them are there; CEL decides x < 1 || y < 1 as soon as one of
// them is.
func needAll(names []string, body string) string {
	return fmt.Sprintf("// All parameters are needed, even where one decides.\n[%s].size() == %d ? (\n  %s\n) : false",
		strings.Join(names, ", "), len(names), strings.ReplaceAll(body, "\n", "\n  "))
}
