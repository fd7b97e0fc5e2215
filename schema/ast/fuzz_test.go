package ast_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
)

// render prints all that is wrong with a file.
func render(name, text string) string {
	_, diagnostics := ast.Parse(source.File{Name: name, Text: text})
	var b strings.Builder
	for _, d := range diagnostics {
		b.WriteString(d.Render())
	}
	return b.String()
}

// seeds adds the golden inputs in pieces: from small inputs fuzzing gets further.
func seeds(f *testing.F) {
	for _, pattern := range []string{"testdata/format/*.pemba", "testdata/errors/*.pemba"} {
		for _, text := range inputs(&testing.T{}, pattern) {
			for _, line := range strings.Split(text, "\n") {
				line = strings.TrimSpace(line)
				f.Add("pemba 1\n" + line)
				f.Add("pemba 1\ntype a {\n" + line + "\n}")
				f.Add("pemba 1\ntest \"a\" {\n" + line + "\n}")
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		_, diagnostics := ast.Parse(source.File{Name: "fuzz.pemba", Text: text})
		for i, d := range diagnostics {
			if d.Code == "" || d.Message == "" || d.Place.Line < 1 || d.Place.Column < 1 {
				t.Errorf("incomplete diagnostic: %+v", d)
			}
			if !utf8.ValidString(d.Message + d.Excerpt + d.Expected + d.Suggestion) {
				t.Errorf("not UTF-8: %q", d.Render())
			}
			if i > 0 && d.Place.Compare(diagnostics[i-1].Place) < 0 {
				t.Errorf("out of order: %v behind %v", d, diagnostics[i-1])
			}
		}
	})
}

func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parse(text); err != nil {
			t.Skip()
		}
		checkFixpoint(t, text)
	})
}
