package schema

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
)

// Load reads the file root with all that it imports, each once, in the order
// that Compile wants. Imports are relative to the file they stand in and never
// lead out of fsys; for a folder on disk, hand in os.Root.FS, which follows no
// symbolic link out of it either (LoadFile does). An import that is not there
// is left out: Compile reports it with its place.
func Load(fsys fs.FS, root string) ([]source.File, error) {
	root = path.Clean(root)
	text, err := readFile(fsys, root)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	files := []source.File{{Name: root, Text: text}}
	seen := map[string]bool{root: true}
	for i := 0; i < len(files); i++ {
		tree, _ := ast.Parse(files[i])
		for _, d := range tree.Decls {
			imported, ok := d.(*ast.Import)
			if !ok {
				continue
			}
			name, reason := importedName(files[i].Name, imported.Path)
			if reason != "" || seen[name] || len(files) >= MaxFiles {
				continue
			}
			text, err := readFile(fsys, name)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: read the import %q: %w", imported.Place, imported.Path, err)
			}
			seen[name] = true
			files = append(files, source.File{Name: name, Text: text})
		}
	}
	return files, nil
}

// LoadFile reads a schema file on disk with what it imports from its folder and
// the folders inside of it.
func LoadFile(name string) ([]source.File, error) {
	folder, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	defer folder.Close()
	return Load(folder.FS(), filepath.ToSlash(filepath.Base(name)))
}

// readFile reads a file up to the bound, one byte over it at most, so that
// Parse refuses the rest.
func readFile(fsys fs.FS, name string) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, ast.MaxFileBytes+1))
	return string(text), err
}
