package schema_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/ast"
)

// TestTheLanguageDocument holds docs/language.md to what is there: its examples
// compile and are canonical, and it names every code that a golden file shows.
func TestTheLanguageDocument(t *testing.T) {
	text, err := os.ReadFile("../docs/language.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	examples := regexp.MustCompile("(?s)```pemba\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(examples) == 0 {
		t.Fatal("there are no examples")
	}
	for _, e := range examples {
		compile(t, e[1])
		printed, err := ast.FormatText("example.pemba", e[1])
		if err != nil || printed != e[1] {
			t.Errorf("an example is not canonical (%v); it should be\n%s", err, printed)
		}
	}
	for _, pattern := range []string{"testdata/errors/*.golden", "ast/testdata/errors/*.golden"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			golden, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, code := range regexp.MustCompile(`(?m): error: .*\[([a-z_]+)\]$`).FindAllStringSubmatch(string(golden), -1) {
				if !strings.Contains(doc, "`"+code[1]+"`") {
					t.Errorf("the code %s of %s is not documented", code[1], name)
				}
			}
		}
	}
}
