package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/examples"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

// load reads the example, or the files that the flags name.
func (d *demo) load() error {
	if d.schemaFile = d.c.String("schema"); d.schemaFile != "" {
		return d.loadOwn()
	}
	name := d.c.String("example")
	if !slices.Contains(examples.Names, name) {
		return &usageError{command: commandPath(d.c), message: fmt.Sprintf("there is no example %q: there are %s", name, strings.Join(examples.Names, ", ")),
			suggestion: source.DidYouMean(name, examples.Names)}
	}
	d.title = "of the example " + name
	folder, err := fs.Sub(examples.Files, name)
	if err != nil {
		return err
	}
	if d.files, err = schema.Load(folder, "schema.pemba"); err != nil {
		return err
	}
	withTests, err := schema.Load(folder, "tests.pemba")
	if err != nil {
		return err
	}
	if d.module, err = compileSource(withTests); err != nil {
		return err
	}
	file, err := folder.Open("tuples.txt")
	if err != nil {
		return err
	}
	defer file.Close()
	d.tuples, err = tuplefile.ReadAll("tuples.txt", file, tuplefile.Text)
	return err
}

func (d *demo) loadOwn() (err error) {
	d.title = d.schemaFile
	if d.files, err = schema.LoadFile(d.schemaFile); err != nil {
		return err
	}
	if d.module, err = compileFile(d.c, d.schemaFile); err != nil {
		return err
	}
	folder := filepath.Dir(d.schemaFile)
	if tests := filepath.Join(folder, "tests.pemba"); len(d.module.Tests) == 0 && exists(tests) {
		withTests, err := compileLocated(d.c, tests)
		if err != nil {
			return err
		}
		if imports(withTests, filepath.Base(d.schemaFile)) {
			d.module = withTests
		}
	}
	name := d.c.String("tuples")
	if name == "" {
		if name = filepath.Join(folder, "tuples.txt"); !exists(name) {
			return nil
		}
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := &inputFile{name: filepath.ToSlash(name), file: file, format: tuplefile.FormatOf(name)}
	if _, err := verify([]*inputFile{in}, d.module.Admitter); err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d.tuples, err = tuplefile.ReadAll(in.name, file, in.format)
	return err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func imports(m *schema.Module, base string) bool {
	return slices.ContainsFunc(m.Files, func(f source.File) bool { return filepath.Base(filepath.FromSlash(f.Name)) == base })
}
