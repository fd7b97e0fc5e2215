// Package pemba_test holds the repository to its import law.
package pemba_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pemba-authz/pemba/"

// law says which packages of this repository a package may import, tests aside.
// A name that ends in /... stands for itself and all below it; the first entry
// that fits a package counts.
var law = []struct {
	pkg     string
	imports []string
}{
	{"schema/tuple", nil},
	{"schema/source", []string{"schema/tuple"}},
	{"schema/...", []string{"schema/..."}},
	{"engine/...", []string{"schema/...", "engine/..."}},
	{"scenario", []string{"schema/...", "engine/..."}},
	{"raftstore/command", []string{"schema/..."}},
	{"raftstore/graph", []string{"schema/tuple"}},
	{"raftstore/raftlog", nil},
	{"raftstore/disk", nil},
	{"raftstore/backup", nil},
	{"raftstore/pki", nil},
	{"raftstore/state", []string{"schema/...", "raftstore/command", "raftstore/disk", "raftstore/graph"}},
	{"raftstore", []string{"schema/...", "raftstore/..."}},
	{"server/api", []string{"schema/tuple"}},
	{"server/body", []string{"schema/tuple", "server/api"}},
	{"server", []string{"schema/...", "engine/...", "scenario", "raftstore/...", "server/api", "server/body"}},
	{"conformance", []string{"schema/...", "server/api", "client", "pembatest"}},
	{"client/tuplefile", []string{"schema/...", "server/api", "client"}},
	{"client", []string{"schema/tuple", "server/api", "server/body"}},
	{"pembatest", []string{"schema/...", "raftstore", "server", "server/api", "client"}},
	{"torture", []string{"schema/tuple", "server/api", "client"}},
	{"bench/dataset", []string{"schema/...", "examples"}},
	{"bench/load", nil},
	{"bench/target", []string{"schema/...", "server/api", "bench/dataset", "bench/load"}},
	{"bench/inprocess", []string{"schema/...", "engine/...", "raftstore/...", "bench/dataset", "bench/load"}},
	{"bench", []string{"bench/dataset", "bench/load", "bench/target"}},
	{"examples/...", []string{"schema/...", "engine/...", "scenario", "server/api", "client", "pembatest"}},
	{"cmd/...", []string{"..."}},
	{"internal/golden", nil},
}

// heavy are the modules that an application with the client must not compile.
var heavy = []string{"github.com/dgraph-io/", "github.com/hashicorp/", "go.etcd.io/", "cel.dev/", "github.com/google/cel-go",
	"github.com/alecthomas/participle", "github.com/prometheus/", "google.golang.org/"}

// barred lists what a package may not even reach through others.
var barred = map[string][]string{
	"client":        heavy,
	"server/api":    heavy,
	"server/body":   heavy,
	"schema/tuple":  heavy,
	"schema":        {"github.com/dgraph-io/", "github.com/hashicorp/", "go.etcd.io/", "net/http"},
	"engine":        {"github.com/dgraph-io/", "github.com/hashicorp/", "go.etcd.io/", "net/http"},
	"raftstore":     {"cmd/"},
	"engine/memory": {"github.com/dgraph-io/", "github.com/hashicorp/", "go.etcd.io/", "net/http"},
}

type listed struct {
	name    string // without the module
	imports []string
	deps    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	// Look at every source file, so that a cached result of this test does not outlive a change.
	filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") {
			_, err = os.Stat(name)
		}
		return err
	})
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{join .Imports \",\"}}|{{join .Deps \",\"}}", "./...").Output()
	if err != nil {
		t.Skipf("go list does not run here: %v", err)
	}
	var list []listed
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		list = append(list, listed{strings.TrimPrefix(fields[0], module), strings.Split(fields[1], ","), strings.Split(fields[2], ",")})
	}
	return list
}

func TestImportLaw(t *testing.T) {
	for _, p := range packages(t) {
		if p.name == strings.TrimSuffix(module, "/") {
			continue // this test
		}
		i := slices.IndexFunc(law, func(l struct {
			pkg     string
			imports []string
		}) bool {
			return fits(l.pkg, p.name)
		})
		if i < 0 {
			t.Errorf("the law does not know package %s: say in architecture_test.go what it may import", p.name)
			continue
		}
		for _, imported := range p.imports {
			name, ours := strings.CutPrefix(imported, module)
			if ours && !slices.ContainsFunc(law[i].imports, func(pattern string) bool { return fits(pattern, name) }) {
				t.Errorf("%s imports %s, and may import only %v", p.name, name, law[i].imports)
			}
		}
		for _, dep := range p.deps {
			for _, prefix := range barred[p.name] {
				if strings.HasPrefix(dep, prefix) {
					t.Errorf("%s reaches %s", p.name, dep)
				}
			}
		}
	}
}

func TestPackagesHaveNames(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base"}, path.Base(p.name)) {
			t.Errorf("package %s is named after nothing", p.name)
		}
	}
}

// fits says whether a package is what the pattern names.
func fits(pattern, name string) bool {
	if pattern == "..." {
		return true
	}
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == root || strings.HasPrefix(name, root+"/")
	}
	return pattern == name
}
