package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Usage: "format, check, test, compare, import and store schemas",
		Subcommands: []*cli.Command{
			{
				Name: "fmt", Usage: "print schemas in their canonical form", ArgsUsage: "[FILE…]",
				Description: "Without a file, or for -, standard input is formatted. A file with errors is not touched.",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "write", Aliases: []string{"w"}, Usage: "write the files instead of printing them"},
					&cli.BoolFlag{Name: "check", Usage: "name the files that are not in canonical form, and exit with 1 if there are any"},
				},
				Action: formatSchemas,
			},
			{
				Name: "check", Usage: "compile schemas: every error, every warning, every claim", ArgsUsage: "FILE…",
				Flags:  []cli.Flag{jsonFlag, &cli.BoolFlag{Name: "strict", Usage: "exit with 1 for warnings too"}},
				Action: checkSchemas,
			},
			schemaTestCommand(),
			schemaImportCommand(),
			schemaDiffCommand(),
			schemaPutCommand(),
			schemaGetCommand(),
		},
	}
}

// compileFile compiles a schema file on disk, or standard input for -. Places in
// errors are paths from where the command runs.
func compileFile(c *cli.Context, name string) (*schema.Module, error) {
	files, err := loadFile(c, name)
	if err != nil {
		return nil, err
	}
	module, err := compileSource(files)
	if err != nil {
		return nil, placed(name, err)
	}
	placed(name, module.Warnings)
	return module, nil
}

func compileSource(files []source.File) (*schema.Module, error) {
	return schema.Compile(files, schema.NewNumbering())
}

func loadFile(c *cli.Context, name string) ([]source.File, error) {
	if name != "-" {
		return schema.LoadFile(name)
	}
	text, err := io.ReadAll(io.LimitReader(c.App.Reader, ast.MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	return []source.File{{Name: "stdin.pemba", Text: string(text)}}, nil
}

// placed puts the folder of a root file before the places of what is wrong in it
// and in its imports.
func placed(root string, err error) error {
	var diagnostics source.Diagnostics
	if root != "-" && errors.As(err, &diagnostics) {
		for _, d := range diagnostics {
			d.Place.File = located(root, d.Place.File)
		}
	}
	if problem := api.AsProblem(err); problem != nil && root != "-" {
		for i, f := range problem.Errors {
			if f.File != "" {
				problem.Errors[i].File = located(root, f.File)
			}
		}
	}
	return err
}

func located(root, file string) string {
	return filepath.ToSlash(filepath.Join(filepath.Dir(root), filepath.FromSlash(file)))
}

func sourceFiles(files []api.SchemaFile) []source.File {
	out := make([]source.File, len(files))
	for i, f := range files {
		out[i] = source.File{Name: f.Name, Text: f.Text}
	}
	return out
}

func apiFiles(files []source.File) []api.SchemaFile {
	out := make([]api.SchemaFile, len(files))
	for i, f := range files {
		out[i] = api.SchemaFile{Name: f.Name, Text: f.Text}
	}
	return out
}

func formatSchemas(c *cli.Context) error {
	names := c.Args().Slice()
	if len(names) == 0 {
		names = []string{"-"}
	}
	var faults source.Diagnostics
	differ := false
	for _, name := range names {
		text, err := readText(c, name)
		if err != nil {
			return err
		}
		formatted, err := ast.FormatText(filepath.ToSlash(name), text)
		var diagnostics source.Diagnostics
		if errors.As(err, &diagnostics) {
			faults = append(faults, diagnostics...)
			continue
		}
		if err != nil {
			return err
		}
		switch {
		case c.Bool("check"):
			if text != formatted {
				differ = true
				fmt.Fprintln(c.App.Writer, name)
			}
		case c.Bool("write") && name != "-":
			if err := rewrite(name, text, formatted); err != nil {
				return err
			}
		default:
			if _, err := io.WriteString(c.App.Writer, formatted); err != nil {
				return err
			}
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if differ {
		return errQuiet(exitNo)
	}
	return nil
}

func readText(c *cli.Context, name string) (string, error) {
	if name != "-" {
		text, err := os.ReadFile(name)
		return string(text), err
	}
	text, err := io.ReadAll(c.App.Reader)
	return string(text), err
}

// rewrite replaces a file's text by way of a file beside it, so that no moment
// leaves half a schema.
func rewrite(name, old, text string) error {
	if old == text {
		return nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(beside.Name()) // fails once it has been renamed
	_, err = beside.WriteString(text)
	err = errors.Join(err, beside.Chmod(info.Mode().Perm()), beside.Close())
	if err != nil {
		return err
	}
	return os.Rename(beside.Name(), name)
}

// checked is what schema check says of one file.
type checked struct {
	File        string     `json:"file"`
	Valid       bool       `json:"valid"`
	Errors      api.Faults `json:"errors,omitzero"`
	Warnings    api.Faults `json:"warnings,omitzero"`
	Types       int        `json:"types"`
	Relations   int        `json:"relations"`
	Permissions int        `json:"permissions"`
	Claims      int        `json:"claims"` // proven
	Tests       int        `json:"tests"`  // not run
}

func checkSchemas(c *cli.Context) error {
	if !c.Args().Present() {
		return &usageError{command: commandPath(c), message: "no file is named", suggestion: "- is standard input"}
	}
	failed := false
	for _, name := range c.Args().Slice() {
		result := checked{File: name}
		module, err := compileFile(c, name)
		var diagnostics source.Diagnostics
		switch {
		case errors.As(err, &diagnostics):
			failed = true
			result.Errors = faultsOf(diagnostics)
		case err != nil:
			return err
		default:
			result.Valid = true
			result.count(module)
			failed = failed || c.Bool("strict") && len(module.Warnings) > 0
			diagnostics = module.Warnings
		}
		if c.Bool("json") {
			if err := printJSON(c.App.Writer, result); err != nil {
				return err
			}
			continue
		}
		fmt.Fprint(c.App.ErrWriter, renderDiagnostics(diagnostics))
		fmt.Fprintln(c.App.Writer, result)
	}
	if failed {
		return errQuiet(exitNo)
	}
	return nil
}

func (r *checked) count(m *schema.Module) {
	r.Warnings = faultsOf(m.Warnings)
	r.Types, r.Claims, r.Tests = len(m.Schema.Types), len(m.Claims), len(m.Tests)
	for _, t := range m.Schema.Types {
		for _, relation := range t.Relations {
			if relation.Permission {
				r.Permissions++
			} else {
				r.Relations++
			}
		}
	}
}

// String is the last line on a file.
func (r checked) String() string {
	if !r.Valid {
		return fmt.Sprintf("%s: %s", r.File, plural(len(r.Errors), "error"))
	}
	parts := []string{plural(r.Types, "type"), plural(r.Relations, "relation"), plural(r.Permissions, "permission")}
	if r.Claims > 0 {
		parts = append(parts, plural(r.Claims, "claim")+" proven")
	}
	if r.Tests > 0 {
		parts = append(parts, plural(r.Tests, "test")+" (pemba schema test runs them)")
	}
	if len(r.Warnings) > 0 {
		parts = append(parts, plural(len(r.Warnings), "warning"))
	}
	return fmt.Sprintf("%s: good: %s", r.File, strings.Join(parts, ", "))
}
