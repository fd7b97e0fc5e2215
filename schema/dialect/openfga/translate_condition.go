package openfga

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
)

// foreignFunctions are functions of Pemba's conditions that OpenFGA's lack.
var foreignFunctions = []string{"now", "isSubtreeOf"}

func (w *world) condition(c *conditionDef) *ast.Condition {
	out := &ast.Condition{Notes: notes(true, c.comments), Name: ast.N(ConditionName(c.name.text)), Body: strings.TrimSpace(c.body.text)}
	names := make([]string, len(c.params))
	for i, p := range c.params {
		out.Params = append(out.Params, ast.Param{Name: ast.N(p.name.text), Type: p.typ})
		names[i] = p.name.text
	}
	for _, word := range dialect.CELWords(c.body.text) {
		if word.Called && slices.Contains(foreignFunctions, word.Text) {
			at := c.body.place
			if !c.quoted {
				at = dialect.Inside(at, c.body.text, word.Offset)
			}
			w.report.Refuse("unknown_function", at, len(word.Text), fmt.Sprintf("the function %s is not one of OpenFGA's conditions", word.Text), "")
		}
	}
	program := w.report.CompileCondition(c.name.text, c.name.place, out.Params, c.body.text, c.body.place, c.quoted)
	if program != nil && (len(program.Unused()) > 0 || len(names) > 1 && dialect.CELBranches(c.body.text)) {
		out.Body = needAll(names, out.Body)
		w.noteAll(c)
	}
	return out
}

// noteAll tells of a condition whose expression was put behind its parameters.
func (w *world) noteAll(c *conditionDef) {
	w.report.Note("every_parameter", c.name.place, len(c.name.text),
		fmt.Sprintf("the condition %s asks for all of its parameters, as OpenFGA does, before it looks at its expression", c.name.text), "")
}

// needAll puts an expression behind its parameters. OpenFGA decides a condition
// only when all of them are there; CEL decides x < 1 || y < 1 as soon as one of
// them is.
func needAll(names []string, body string) string {
	return fmt.Sprintf("// All parameters are needed, even where one decides.\n[%s].size() == %d ? (\n  %s\n) : false",
		strings.Join(names, ", "), len(names), strings.ReplaceAll(body, "\n", "\n  "))
}
