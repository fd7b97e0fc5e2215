package schema

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
)

// read parses the first file and, breadth first, what it imports. Each file is
// read once, so cycles of imports are fine.
func (c *compiler) read(files []source.File) {
	root := ""
	byName := make(map[string]source.File, len(files))
	for i, f := range files {
		f.Name = path.Clean(f.Name)
		if i == 0 {
			root = f.Name
		}
		if _, ok := byName[f.Name]; ok {
			c.add(source.Diagnostic{Code: "duplicate_file", Place: source.Place{File: f.Name, Line: 1, Column: 1},
				Message: fmt.Sprintf("the file %s was given twice", f.Name)})
			continue
		}
		byName[f.Name] = f
	}
	seen := map[string]bool{root: true}
	c.files = []source.File{byName[root]}
	bytes := 0
	for i := 0; i < len(c.files); i++ {
		if bytes += len(c.files[i].Text); bytes > MaxBytes {
			c.files = c.files[:i+1]
			c.add(source.Diagnostic{Code: "too_large", Place: source.Place{File: c.files[i].Name, Line: 1, Column: 1},
				Message: fmt.Sprintf("the files of a schema have at most %d bytes together", MaxBytes)})
			return
		}
		tree, found := ast.Parse(c.files[i])
		c.trees = append(c.trees, tree)
		c.found = append(c.found, found...)
		c.header(&tree.Header)
		for _, d := range tree.Decls {
			imported, ok := d.(*ast.Import)
			if !ok {
				continue
			}
			name, reason := importedName(c.files[i].Name, imported.Path)
			file, given := byName[name]
			switch {
			case reason != "":
				c.report(imported.Place, len(imported.Path)+2, "bad_import", fmt.Sprintf("the import %q %s", imported.Path, reason),
					"a path with slashes, relative to this file, inside the schema's folder", "")
			case !given:
				c.unknown(ast.Name{Text: name, Place: imported.Place, Width: len(imported.Path) + 2}, "unknown_import",
					fmt.Sprintf("there is no file %s to import", name), fileNames(files))
			case !seen[name] && len(c.files) < MaxFiles:
				seen[name] = true
				c.files = append(c.files, file)
			case !seen[name]:
				c.report(imported.Place, len(imported.Path)+2, "too_large", fmt.Sprintf("a schema has at most %d files", MaxFiles), "", "")
			}
		}
	}
}

func fileNames(files []source.File) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return names
}

// header gathers what the headers refuse; what one file refuses, the schema does.
func (c *compiler) header(h *ast.Header) {
	for _, name := range h.Refuse {
		if name.Text != RefuseSelfTuples {
			c.unknown(name, "unknown_refusal", fmt.Sprintf("%q is nothing that a schema can refuse", name.Text), []string{RefuseSelfTuples})
		} else if !slices.Contains(c.refuse, name.Text) {
			c.refuse = append(c.refuse, name.Text)
		}
	}
}

// importedName returns the name of the file that an import in another file
// names, or why it may not.
func importedName(importer, imported string) (name, reason string) {
	switch {
	case imported == "":
		return "", "is empty"
	case path.IsAbs(imported) || strings.HasPrefix(imported, "~"):
		return "", "is absolute"
	case strings.Contains(imported, "\\"):
		return "", "holds a backslash"
	case strings.Contains(imported, ":"):
		return "", "holds a colon"
	case strings.ContainsRune(imported, 0):
		return "", "holds a zero byte"
	}
	name = path.Join(path.Dir(importer), imported)
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", "leads out of the schema's folder"
	}
	return name, ""
}
