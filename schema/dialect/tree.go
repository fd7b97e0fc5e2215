package dialect

import (
	"strings"

	"github.com/pemba-authz/pemba/schema/ast"
)

// Comment returns a comment line of Pemba's language; doc says that it documents
// the declaration below it.
func Comment(text string, doc bool) string {
	mark := "//"
	if doc {
		mark = "///"
	}
	text = strings.TrimSpace(strings.Map(printable, text))
	if text == "" {
		return mark
	}
	return mark + " " + text
}

// printable keeps a comment on its line.
func printable(r rune) rune {
	if r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

// Join returns operands joined by one operator; those that are joined by the
// same one melt in, except those of except. No operand is nobody.
func Join(op ast.Op, operands ...ast.Expr) ast.Expr {
	if len(operands) == 1 {
		return operands[0]
	}
	whole := &ast.Operation{Op: op}
	for _, o := range operands {
		if inner, ok := o.(*ast.Operation); ok && inner.Op == op && op != ast.Except {
			whole.Operands = append(whole.Operands, inner.Operands...)
		} else {
			whole.Operands = append(whole.Operands, o)
		}
	}
	return whole
}

// TooDeep says whether an expression would nest its parentheses deeper than the
// language reads.
func TooDeep(e ast.Expr) bool {
	const brackets = 2 // of the body and of a Direct
	return depth(e) > ast.MaxDepth-brackets
}

func depth(e ast.Expr) int {
	whole, ok := e.(*ast.Operation)
	if !ok {
		return 0
	}
	deepest := 0
	for _, o := range whole.Operands {
		deepest = max(deepest, depth(o))
	}
	return deepest + 1
}

// Directs counts the brackets of an expression: a relation has one, a permission
// none, and more than one cannot be said.
func Directs(e ast.Expr) int {
	switch e := e.(type) {
	case *ast.Direct:
		return 1
	case *ast.Operation:
		n := 0
		for _, o := range e.Operands {
			n += Directs(o)
		}
		return n
	}
	return 0
}
