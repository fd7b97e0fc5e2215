package schema_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// FuzzCompile compiles whatever there is. It must end
// in a module or in diagnostics, and then admit or refuse any tuple.
func FuzzCompile(f *testing.F) {
	for _, line := range strings.Split(constructs+admitted, "\n") {
		f.Add("pemba 1\ntype user\n"+line, "a:x#r@user:ana")
		f.Add("pemba 1\ntype user\ntype a { relation r: [user]\n"+line+"\n}", "a:x#r@user:* until 2030-01-01T00:00:00Z")
	}
	names, _ := filepath.Glob("testdata/errors/*.pemba")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(text), "\n\n") {
			f.Add("pemba 1\n"+block, "document:a#viewer@user:ana")
		}
	}
	f.Fuzz(func(t *testing.T, text, tupleText string) {
		m, err := schema.Compile([]source.File{{Name: "fuzz.pemba", Text: text}}, schema.NewNumbering())
		if err != nil {
			var ds source.Diagnostics
			if !errors.As(err, &ds) || len(ds) == 0 {
				t.Fatalf("an error without diagnostics: %v", err)
			}
			return
		}
		tup, err := tuple.Parse(tupleText)
		if err != nil {
			return
		}
		if r := m.Admission.Admit(tup); r != nil && (r.Code == "" || r.Message == "" || r.Field == "") {
			t.Errorf("an incomplete refusal: %+v", r)
		}
	})
}
