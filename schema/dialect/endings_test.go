package dialect_test

import (
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// TestLineEndings holds files as Windows writes them to the same import.
func TestLineEndings(t *testing.T) {
	goldens(t, func(t *testing.T, _ string, do func([]source.File) dialect.Result, files []source.File) {
		want := do(files)
		other := make([]source.File, len(files))
		for i, f := range files {
			other[i] = source.File{Name: f.Name, Text: "\ufeff" + strings.ReplaceAll(f.Text, "\n", "\r\n")}
		}
		got := do(other)
		if (got.Err() == nil) != (want.Err() == nil) || len(got.Files) != len(want.Files) {
			t.Fatalf("got %v, want %v", got.Report, want.Report)
		}
		for i, f := range got.Files {
			if f != want.Files[i] {
				t.Errorf("got\n%q\nwant\n%q", f.Text, want.Files[i].Text)
			}
		}
		if len(got.Report) != len(want.Report) {
			t.Fatalf("got %v, want %v", got.Report, want.Report)
		}
		for i, d := range got.Report {
			if d.Error() != want.Report[i].Error() || d.Excerpt != want.Report[i].Excerpt {
				t.Errorf("got %v, want %v", d, want.Report[i])
			}
		}
	})
}
