package examples_test

import (
	"bufio"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/examples"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Every example compiles without a warning, is printed as the formatter prints
// it, passes its tests, and leaves no branch of its rewrites unexercised.
func TestExamples(t *testing.T) {
	for _, name := range examples.Names {
		t.Run(name, func(t *testing.T) {
			folder, err := fs.Sub(examples.Files, name)
			if err != nil {
				t.Fatal(err)
			}
			files, err := schema.Load(folder, "tests.pemba")
			if err != nil {
				t.Fatal(err)
			}
			module, err := schema.Compile(files, schema.NewNumbering())
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range module.Warnings {
				t.Errorf("warning: %s", w.Render())
			}
			for _, f := range files {
				if printed, err := ast.FormatText(f.Name, f.Text); err != nil || printed != f.Text {
					t.Errorf("%s is not as the formatter prints it (%v)", f.Name, err)
				}
			}
			runTests(t, module)
			admitTuples(t, folder, module)
		})
	}
}

func runTests(t *testing.T, module *schema.Module) {
	report, err := scenario.Run(t.Context(), module, scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Failed > 0 || report.Passed == 0 {
		var text strings.Builder
		if err := report.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		t.Errorf("%d passed, %d failed:\n%s", report.Passed, report.Failed, text.String())
	}
	for _, missed := range report.Coverage.Missed {
		t.Errorf("no assertion exercises %s: %s of %s", missed.Place, missed.Text, missed.Relation)
	}
}

// admitTuples checks that the schema admits the example's installation.
func admitTuples(t *testing.T, folder fs.FS, module *schema.Module) {
	f, err := folder.Open("tuples.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var tuples []tuple.Tuple
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		one, err := tuple.Parse(line)
		if err != nil {
			t.Fatalf("tuples.txt: %v", err)
		}
		if !one.Expires.IsZero() && one.Expires.Before(time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("tuples.txt: %s expires too soon to try it", one)
		}
		tuples = append(tuples, one)
	}
	if len(tuples) == 0 {
		t.Error("no tuples")
	}
	for _, refused := range scenario.Admit(module.Admitter, tuples) {
		t.Errorf("tuples.txt: %s: %s", tuples[refused.Index], refused.Message)
	}
}
