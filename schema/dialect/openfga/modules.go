package openfga

import (
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// manifest is an fga.mod: the modules of one model.
type manifest struct {
	schema   name
	contents []name
}

// isManifest says whether a file is a manifest, by its name or by its form.
func isManifest(f source.File) bool {
	if base := path.Base(f.Name); base == "fga.mod" || strings.HasSuffix(base, ".mod") {
		return true
	}
	for line := range strings.Lines(f.Text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && line != "---" {
			return strings.HasPrefix(line, "schema:") || strings.HasPrefix(line, "contents:")
		}
	}
	return false
}

// readManifest reads an fga.mod.
func readManifest(f source.File, report *dialect.Reporter) (manifest, bool) {
	var m manifest
	at := source.Place{File: f.Name, Line: 1, Column: 1}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(f.Text), &doc); err != nil {
		report.Refuse("bad_yaml", at, 1, "the manifest is not valid YAML: "+strings.TrimPrefix(err.Error(), "yaml: "), "")
		return m, false
	}
	if doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
		report.Refuse("bad_manifest", at, 1, "the manifest must give schema and contents", "schema: '1.2' and a list of files under contents")
		return m, false
	}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value == "schema" && value.Kind == yaml.ScalarNode && value.ShortTag() == "!!str":
			m.schema = name{Text: value.Value, Place: nodePlace(f, value)}
		case key.Value == "contents" && value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
					report.Refuse("bad_manifest", nodePlace(f, item), 1, "contents lists the names of files", "")
					continue
				}
				m.contents = append(m.contents, name{Text: item.Value, Place: nodePlace(f, item)})
			}
		default:
			report.Refuse("bad_manifest", nodePlace(f, key), len(key.Value), fmt.Sprintf("%q is no part of a manifest, or its value has the wrong form", tuple.Clip(key.Value)),
				"a manifest has schema (a string) and contents (a list of files)")
		}
	}
	if m.schema.Text == "" && !report.Failed() {
		report.Refuse("bad_manifest", at, 1, "the manifest does not say its schema's version", "schema: '1.2'")
	}
	if len(m.contents) == 0 && !report.Failed() {
		report.Refuse("bad_manifest", at, 1, "the manifest lists no files", "contents: and a list of .fga files")
	}
	return m, !report.Failed()
}

func nodePlace(f source.File, n *yaml.Node) source.Place {
	return source.Place{File: f.Name, Line: n.Line, Column: n.Column}
}

// readModules reads the files that a manifest lists, which are among the others
// of the import, below the manifest's folder.
func readModules(files []source.File, report *dialect.Reporter) []*model {
	m, ok := readManifest(files[0], report)
	if !ok {
		return nil
	}
	if m.schema.Text != "1.2" {
		report.Refuse("bad_version", m.schema.Place, len(m.schema.Text), fmt.Sprintf("the version %q of the schema is not 1.2, which modules need", tuple.Clip(m.schema.Text)), "schema: '1.2'")
	}
	given := map[string]source.File{}
	for _, f := range files[1:] {
		given[path.Clean(f.Name)] = f
	}
	folder := path.Dir(files[0].Name)
	var models []*model
	whole, used := true, map[string]bool{}
	seen := map[string]bool{}
	for _, c := range m.contents {
		f, found := given[path.Join(folder, c.Text)]
		if !found {
			f, found = given[path.Clean(c.Text)]
		}
		whole, used[f.Name] = whole && found, true
		switch {
		case !dialect.SafePath(c.Text) || strings.Contains(c.Text, "..") || !strings.HasSuffix(c.Text, ".fga"):
			report.Refuse("bad_path", c.Place, len(c.Text), fmt.Sprintf("%q is no .fga file below the manifest's folder", tuple.Clip(c.Text)), "")
		case seen[path.Clean(c.Text)]:
			report.Refuse("duplicate", c.Place, len(c.Text), fmt.Sprintf("the file %q is listed twice", tuple.Clip(c.Text)), "")
		case !found:
			report.Refuse("missing_file", c.Place, len(c.Text), fmt.Sprintf("the file %q is not there", tuple.Clip(c.Text)), "give it with the manifest")
		case report.Open(f):
			read := parseDSL(f, report)
			if read == nil {
				whole = false
				break
			}
			read.file = c.Text
			if read.module.Text == "" {
				report.Refuse("no_module", source.Place{File: f.Name, Line: 1, Column: 1}, 1, "a file of a manifest begins with module and its name", "")
			}
			models = append(models, read)
		}
		seen[path.Clean(c.Text)] = true
	}
	if !whole {
		return nil
	}
	for _, f := range files[1:] {
		if !used[f.Name] {
			report.Note("extra_file", source.Place{File: f.Name, Line: 1, Column: 1}, 1,
				fmt.Sprintf("the manifest does not list %s: nothing of it was imported", f.Name), "list it, or leave it out")
		}
	}
	return models
}
