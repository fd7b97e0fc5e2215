package schema_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func names(files []source.File) []string {
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestLoadFollowsImports(t *testing.T) {
	fsys := files(map[string]string{
		"main.pemba":       "pemba 1\nimport \"lib/a.pemba\"\nimport \"lib/b.pemba\"\ntype document { relation viewer: [user | group#member] }",
		"lib/a.pemba":      "pemba 1\nimport \"deep/c.pemba\"\nimport \"../main.pemba\"\ntype user",
		"lib/b.pemba":      "pemba 1\nimport \"a.pemba\"\nextend type group { relation owner: [user] }",
		"lib/deep/c.pemba": "pemba 1\nimport \"../a.pemba\"\ntype group { relation member: [user] }",
		"unused.pemba":     "nonsense",
	})
	got, err := schema.Load(fsys, "main.pemba")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"main.pemba", "lib/a.pemba", "lib/b.pemba", "lib/deep/c.pemba"}; !equal(names(got), want) {
		t.Errorf("loaded %v, want %v", names(got), want)
	}
	m, err := schema.Compile(got, schema.NewNumbering())
	if err != nil {
		t.Fatal(rendered(err))
	}
	if m.Schema.Type("group").Relation("owner") == nil {
		t.Error("the extension is missing")
	}
	if !equal(names(m.Files), names(got)) {
		t.Errorf("the module has the files %v", names(m.Files))
	}
}

func TestAFaultOfAnImportIsPlacedInIt(t *testing.T) {
	_, err := schema.Compile([]source.File{
		{Name: "main.pemba", Text: "pemba 1\nimport \"a.pemba\"\ntype document { relation viewer: [user] }"},
		{Name: "a.pemba", Text: "pemba 1\ntype user\ntype user"},
		{Name: "b.pemba", Text: "not imported, so not read"},
	}, schema.NewNumbering())
	var ds source.Diagnostics
	if !errors.As(err, &ds) || len(ds) != 1 || ds[0].Place != (source.Place{File: "a.pemba", Line: 3, Column: 6}) || ds[0].Excerpt != "type user" {
		t.Errorf("got %v", err)
	}
}

func TestLoadLeavesWhatIsNotThereToCompile(t *testing.T) {
	got, err := schema.Load(files(map[string]string{"main.pemba": "pemba 1\nimport \"a.pemba\"\nimport \"../b.pemba\""}), "main.pemba")
	if err != nil {
		t.Fatal(err)
	}
	_, err = schema.Compile(got, schema.NewNumbering())
	if found := codes(err); !found["unknown_import"] || !found["bad_import"] {
		t.Errorf("got %v", err)
	}
}

func TestLoadOfNoFile(t *testing.T) {
	if _, err := schema.Load(files(nil), "main.pemba"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAnImportLeavesNoFolder(t *testing.T) {
	top := t.TempDir()
	folder := filepath.Join(top, "schema")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(top, "secret.pemba"), "pemba 1\ntype secret")
	for _, imported := range []string{"../secret.pemba", "link.pemba", "linked/secret.pemba", filepath.Join(top, "secret.pemba"), "a/../../secret.pemba"} {
		t.Run(imported, func(t *testing.T) {
			write(filepath.Join(folder, "main.pemba"), "pemba 1\nimport \""+imported+"\"\n")
			for link, target := range map[string]string{"link.pemba": "../secret.pemba", "linked": ".."} {
				if err := os.Symlink(target, filepath.Join(folder, link)); err != nil && !errors.Is(err, fs.ErrExist) {
					t.Fatal(err)
				}
			}
			got, err := schema.LoadFile(filepath.Join(folder, "main.pemba"))
			if err == nil && len(got) > 1 {
				t.Errorf("loaded %v", names(got))
			}
		})
	}
}
