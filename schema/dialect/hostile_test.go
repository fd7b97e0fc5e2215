package dialect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
)

// hostile models cost bounded work and bounded reports. The code is that of the
// refusal that must be among the report; "" is an import that succeeds.
func TestHostile(t *testing.T) {
	const fga, zed = "model\n  schema 1.1\ntype user\n", "definition user {}\n"
	for _, c := range []struct {
		name string
		do   func([]source.File) dialect.Result
		text string
		code string
	}{
		{"openfga/many types", openfga.Import, fga + many(10_000, "type t%d\n  relations\n    define a: [user]\n    define b: a or a\n"), ""},
		{"openfga/deep", openfga.Import, fga + "type t\n  relations\n    define a: [user]\n    define b: " + strings.Repeat("(", 1000) + "a" + strings.Repeat(")", 1000) + "\n", "too_deep"},
		{"openfga/deep for Pemba", openfga.Import, fga + "type t\n  relations\n    define a: [user]\n    define b: " + strings.Repeat("(a or (a and ", 60) + "a" + strings.Repeat("))", 60) + "\n", "too_deep"},
		{"openfga/long chain", openfga.Import, fga + "type t\n  relations\n" + many(20_000, "    define a%d: a%[2]d\n") + "    define a20000: [user]\n", ""},
		{"openfga/many relations", openfga.Import, fga + "type t\n  relations\n" + many(110_000, "define %d:a\n") + "define a:[user]\n", "too_large"},
		{"openfga/wide", openfga.Import, fga + "type t\n  relations\n    define a: [user]\n    define b: a" + strings.Repeat(" or a", 50_000) + "\n", ""},
		{"openfga/all unknown", openfga.Import, fga + "type t\n  relations\n" + many(20_000, "    define a%d: b%d\n"), "unknown_relation"},
		{"openfga/arrows over many types", openfga.Import, fga + many(3000, "type t%d\n  relations\n    define v: [user]\n") + "type x\n  relations\n    define p: [" +
			strings.TrimSuffix(many(3000, "t%d,"), ",") + "]\n" + many(3000, "    define v%d: v from p\n"), "too_large"},
		{"openfga/many parameters", openfga.Import, fga + "condition c(" + many(10_000, "p%d: int, ") + "x: int) { true }\n", "too_many"},
		{"openfga/deep json", openfga.Import, `{"schema_version":` + strings.Repeat("[", 100_000), "bad_json"},
		{"openfga/no end", openfga.Import, fga + "condition c(a: int) {" + strings.Repeat("{", 100_000), "syntax"},
		{"openfga/large", openfga.Import, fga + strings.Repeat("#\n", dialect.MaxSourceBytes/2), "too_large"},
		{"spicedb/many types", spicedb.Import, zed + many(10_000, "definition type%d {\n  relation one: user\n  permission two = one + one\n}\n"), ""},
		{"spicedb/deep", spicedb.Import, zed + "definition thing {\n  relation one: user\n  permission two = " + strings.Repeat("(", 1000) + "one" + strings.Repeat(")", 1000) + "\n}\n", "too_deep"},
		{"spicedb/chain of exclusions", spicedb.Import, zed + "definition thing {\n  relation one: user\n  permission two = one" + strings.Repeat(" - one", 300_000) + "\n}\n", "too_deep"},
		{"spicedb/wide", spicedb.Import, zed + "definition thing {\n  relation one: user\n  permission two = one" + strings.Repeat(" + one", 50_000) + "\n}\n", ""},
		{"spicedb/all unknown", spicedb.Import, zed + "definition thing {\n" + many(20_000, "  permission two%d = one%d\n") + "}\n", "unknown_relation"},
		{"spicedb/partials that double", spicedb.Import, "use partial\n" + many(60, "partial part%d {\n  ...part%[2]d\n  ...part%[2]d\n}\n") + "partial part60 {}\ndefinition thing {\n  ...part0\n}\n", "too_large"},
		{"spicedb/partials that circle", spicedb.Import, "use partial\npartial one {\n  ...two\n}\npartial two {\n  ...one\n}\n", "partial_cycle"},
		{"spicedb/import of itself", spicedb.Import, "use import\nimport \"model\"\n", "import_cycle"},
		{"spicedb/comment without an end", spicedb.Import, zed + "/*" + strings.Repeat("*", 100_000), "syntax"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := c.do([]source.File{{Name: "model", Text: c.text}})
			if c.code == "" {
				if result.Err() != nil {
					t.Fatal(result.Err())
				}
				return
			}
			if result.Err() == nil || !slices.ContainsFunc(result.Report, func(d *source.Diagnostic) bool { return d.Code == c.code }) {
				t.Errorf("got %v, want %s among it", first(result.Report), c.code)
			}
			if len(result.Report) > 2*dialect.MaxReports {
				t.Errorf("%d reports", len(result.Report))
			}
		})
	}
}

func first(ds source.Diagnostics) source.Diagnostics { return ds[:min(len(ds), 3)] }

// many repeats a text with a number in it, and the next one as the second argument.
func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		text := fmt.Sprintf(format, i, i+1)
		text, _, _ = strings.Cut(text, "%!(EXTRA")
		b.WriteString(text)
	}
	return b.String()
}
