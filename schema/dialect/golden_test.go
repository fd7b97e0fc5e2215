package dialect_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/pemba-authz/pemba/internal/golden"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
)

var importers = map[string]func([]source.File) dialect.Result{"openfga": openfga.Import, "spicedb": spicedb.Import}

// goldens runs f with every model under testdata of both dialects.
func goldens(t *testing.T, f func(t *testing.T, path string, do func([]source.File) dialect.Result, files []source.File)) {
	eachModel(t, func(name, path string, files []source.File) {
		t.Run(strings.TrimSuffix(path, ".txtar"), func(t *testing.T) { f(t, path, importers[name], files) })
	})
}

func eachModel(t testing.TB, f func(name, path string, files []source.File)) {
	for name := range importers {
		paths, err := fs.Glob(os.DirFS("."), name+"/testdata/*.txtar")
		if err != nil || len(paths) == 0 {
			t.Fatalf("no models of %s: %v", name, err)
		}
		for _, path := range paths {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var files []source.File
			for _, file := range archive.Files {
				files = append(files, source.File{Name: file.Name, Text: string(file.Data)})
			}
			f(name, path, files)
		}
	}
}

// TestGolden compares the imported files and the report with what is kept beside
// the model.
func TestGolden(t *testing.T) {
	goldens(t, func(t *testing.T, path string, do func([]source.File) dialect.Result, files []source.File) {
		result := do(files)
		var got txtar.Archive
		for _, f := range result.Files {
			got.Files = append(got.Files, txtar.File{Name: f.Name, Data: []byte(f.Text)})
		}
		var report strings.Builder
		for _, d := range result.Report {
			report.WriteString(d.Render())
		}
		got.Files = append(got.Files, txtar.File{Name: "report", Data: []byte(report.String())})
		golden.Compare(t, strings.TrimSuffix(path, ".txtar")+".golden", string(txtar.Format(&got)))
	})
}

// TestImportedCompiles holds every import that is not refused to compile, and to
// be formatted as the formatter does.
func TestImportedCompiles(t *testing.T) {
	goldens(t, func(t *testing.T, path string, do func([]source.File) dialect.Result, files []source.File) {
		result := do(files)
		if result.Err() != nil {
			if len(result.Files) > 0 {
				t.Errorf("a refused import has %d files", len(result.Files))
			}
			return
		}
		checkImport(t, result)
	})
}
