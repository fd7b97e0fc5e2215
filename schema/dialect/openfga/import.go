// Package openfga imports OpenFGA's authorization models and tuples: its DSL
// (schema 1.1 and 1.2, with modules) and its JSON form, and the tuple files that
// its command line reads and writes.
//
// Call Import first. What OpenFGA calls a relation becomes a relation of Pemba
// where tuples may be written to it (it has type restrictions), else a
// permission. What OpenFGA alone refuses (a relation that nobody can ever have,
// "from" over a relation that is not written directly) is refused here.
package openfga

import (
	"fmt"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Import translates an OpenFGA model into Pemba's language. The first file is
// the root: a model in the DSL or in JSON, or an fga.mod, whose modules are
// among the other files.
func Import(files []source.File) dialect.Result {
	report := dialect.NewReporter()
	files = dialect.Plain(files)
	if !report.Admit(files) || !report.Open(files[0]) {
		return report.Result(nil)
	}
	models, modular := read(files, report)
	if models == nil {
		return report.Result(nil)
	}
	w := newWorld(models, report) // also where a line did not parse: all faults at once
	w.validate()
	if report.Failed() {
		return report.Result(nil)
	}
	return report.Result(w.translate(files[0].Name, modular))
}

// read parses the files; modular says that they are the modules of a manifest.
// It returns none where what is missing would make everything else look wrong.
func read(files []source.File, report *dialect.Reporter) (models []*model, modular bool) {
	root := files[0]
	if isManifest(root) {
		return readModules(files, report), true
	}
	for _, f := range files[1:] {
		report.Refuse("extra_file", source.Place{File: f.Name, Line: 1, Column: 1}, 1,
			fmt.Sprintf("%s is not part of the model %s", f.Name, root.Name), "several files need an fga.mod that lists them, given first")
	}
	var m *model
	if strings.HasPrefix(strings.TrimSpace(root.Text), "{") {
		m = parseJSON(root, report)
	} else {
		m = parseDSL(root, report)
	}
	if m == nil {
		return nil, false
	}
	if m.module.Text != "" {
		report.Refuse("bad_version", m.module.Place, len(m.module.Text), "a module alone does not say its schema's version", "give the fga.mod that lists it")
	} else if v := m.version; v.Text != "1.1" && v.Text != "1.2" {
		report.Refuse("bad_version", v.Place, max(len(v.Text), 1), fmt.Sprintf("the version %q of the schema is neither 1.1 nor 1.2", tuple.Clip(v.Text)), "")
	}
	return []*model{m}, false
}
