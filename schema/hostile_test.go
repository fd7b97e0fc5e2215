package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
)

// hostile are schemas that want much work of the compiler. want is the code that
// one is refused with; "" where it compiles.
func hostile() map[string]struct{ text, want string } {
	many := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	names := func(n int) string {
		return strings.TrimSuffix(many(n, func(i int) string { return fmt.Sprintf("n%d, ", i) }), ", ")
	}
	head := "pemba 1\n\ntype user\n\n"
	return map[string]struct{ text, want string }{
		"10,000 types": {head + many(10_000, func(i int) string {
			return fmt.Sprintf("type t%d {\n  relation parent: [t%d]\n  relation viewer: [user | user:* | t%d#viewer]\n  permission view = viewer or parent->view\n}\n", i, (i+1)%10_000, i)
		}), ""},
		"parentheses 1,000 deep":             {head + "type a {\n  relation b: [user]\n  permission c = " + strings.Repeat("(", 1000) + "b" + strings.Repeat(")", 1000) + "\n}\n", "too_deep"},
		"parentheses 1,000,000 deep":         {head + "type a {\n  relation b: [user]\n  permission c = " + strings.Repeat("(", 1_000_000), "file_too_large"},
		"parameter type 10,000 deep":         {head + "condition c(a: " + strings.Repeat("list<", 10_000) + ") { true }", "too_deep"},
		"braces 1,000,000 deep":              {head + "type a " + strings.Repeat("{", 1_000_000), "file_too_large"},
		"union of 100,000 names":             {head + "type a {\n  relation b: [user]\n  permission c = b" + strings.Repeat(" or b", 100_000) + "\n}\n", "too_large"},
		"union of 20,000 names":              {head + "type a {\n  relation b: [user]\n  permission c = b" + strings.Repeat(" or b", 20_000) + "\n}\n", ""},
		"operators mixed 10,000 times":       {head + "type a {\n  relation b: [user]\n  permission c = b" + strings.Repeat(" or b and b", 10_000) + "\n}\n", "mixed_operators"},
		"10,000 names share 10,000 operands": {head + "type a {\n  relation b: [user]\n  permission " + names(10_000) + " = b" + strings.Repeat(" or b", 10_000) + "\n}\n", "too_large"},
		"arrows over many types": {head + many(2000, func(i int) string { return fmt.Sprintf("type t%d {\n  relation x: [user]\n}\n", i) }) +
			"type a {\n  relation r: [" + strings.TrimSuffix(many(2000, func(i int) string { return fmt.Sprintf("t%d | ", i) }), " | ") + "]\n" +
			many(2000, func(i int) string { return fmt.Sprintf("  permission p%d = r->x\n", i) }) + "}\n", "too_large"},
		"a chain of 20,000 permissions": {head + "type a {\n  relation p0: [user]\n" +
			many(20_000, func(i int) string { return fmt.Sprintf("  permission p%d = p%d\n", i+1, i) }) + "}\n", ""},
		"a cycle of 20,000 permissions": {head + "type a {\n" +
			many(20_000, func(i int) string { return fmt.Sprintf("  permission p%d = p%d\n", i, (i+1)%20_000) }) + "}\n", "empty_cycle"},
		"20,000 unknown names": {head + many(10_000, func(i int) string { return fmt.Sprintf("type t%d\n", i) }) + "type a {\n  relation r: [" +
			strings.TrimSuffix(many(20_000, func(i int) string { return fmt.Sprintf("u%d | ", i) }), " | ") + "]\n}\n", "unknown_type"},
		"100,000 syntax errors":       {head + "type a {\n" + many(100_000, func(i int) string { return "  relation x [y]\n" }) + "}\n", "syntax"},
		"unclosed contexts":           {head + "test \"x\" {\n" + strings.Repeat("with {\n", 250_000), "syntax"},
		"unclosed contexts, one line": {head + "test \"x\" {\n" + strings.Repeat("with {", 300_000), "syntax"},
		"10,000 conditions":           {head + many(10_000, func(i int) string { return fmt.Sprintf("condition c%d(a: int) { a == 1 }\n", i) }), "too_large"},
		"1,000 long conditions": {head + many(1000, func(i int) string {
			return fmt.Sprintf("condition c%d(a: int) { a == 1%s }\n", i, strings.Repeat(" || a == 1", 150))
		}), "too_large"},
		"a comment that does not end": {head + "/*" + strings.Repeat("/* ", 500_000), "bad_token"},
		"a file too large":            {head + strings.Repeat(" ", ast.MaxFileBytes), "file_too_large"},
		"names of 2,000,000 bytes":    {head + "type " + strings.Repeat("a", 2_000_000), "bad_name"},
		"20,000 sealed subjects": {head + "type g {\n  relation m: [user]\n}\n\nsealed g:x#m = " +
			strings.TrimSuffix(many(20_000, func(i int) string { return fmt.Sprintf("user:%d, ", i) }), ", "), ""},
		"a ring of 5,000 usersets": {head + many(5_000, func(i int) string {
			return fmt.Sprintf("type t%d {\n  relation v: [t%d | t%d#v]\n  permission p = v\n}\n", i, i, (i+1)%5_000)
		}), ""},
		"10,000 warnings": {head + many(10_000, func(i int) string {
			return fmt.Sprintf("type t%d {\n  relation r: [t%d#p]\n  permission p = r except q\n  permission q = r and r\n}\n", i, (i+1)%10_000)
		}), ""},
		"1,000 claims over 3,000 relations": {head + "type a {\n  relation p0: [user]\n" +
			many(3_000, func(i int) string { return fmt.Sprintf("  permission p%d = p%d\n", i+1, i) }) + "}\n" +
			many(1_000, func(i int) string { return fmt.Sprintf("never a#p%d grants a#p%d\n", i+1, i) }), ""},
		"100 claims that are hard to prove": {head + "type a {\n  relation p0: [user]\n  relation q0: [user]\n  relation r: [user]\n" +
			many(300, func(i int) string {
				return fmt.Sprintf("  permission p%d = (p%d and q%d) or (q%d except r)\n  permission q%d = (q%d or p%d) and (p%d or r)\n", i+1, i, i, i, i+1, i, i, i)
			}) + "}\n" +
			many(100, func(i int) string { return fmt.Sprintf("always a#p%d holds a#q%d\n", 300-i, 299-i) }), "claim_unproven"},
		"50,000 tuples": {head + "type g {\n  relation m: [user]\n}\n\ntest \"x\" {\n" +
			many(50_000, func(i int) string { return fmt.Sprintf("  given g:x#m@user:%d\n", i) }) + "}\n", ""},
	}
}

func TestHostileSchemas(t *testing.T) {
	for name, c := range hostile() {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := schema.Compile([]source.File{{Name: "hostile.pemba", Text: c.text}}, schema.NewNumbering())
			t.Logf("%v for %d bytes", time.Since(start).Round(time.Millisecond), len(c.text))
			if got := codes(err); c.want == "" && err != nil || c.want != "" && !got[c.want] {
				t.Errorf("got the codes %v, want %q", got, c.want)
			}
		})
	}
}
