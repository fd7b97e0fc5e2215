package main

import (
	"fmt"
	"path/filepath"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func fromFlag() cli.Flag {
	return &cli.StringFlag{Name: "from", Usage: "the dialect of the files: `openfga` or spicedb"}
}

func schemaImportCommand() *cli.Command {
	return &cli.Command{
		Name: "import", Usage: "turn another engine's schema into Pemba's language", ArgsUsage: "FILE…",
		Description: "The first file is the root (of OpenFGA's modules: fga.mod), the others are those it refers to, by their paths\n" +
			"below its folder. What cannot be carried over is refused with its place, never dropped.",
		Flags: []cli.Flag{fromFlag(), jsonFlag,
			&cli.StringFlag{Name: "dir", Usage: "write the files into `FOLDER`; without it they are printed"}},
		Action: importSchema,
	}
}

// importers turn another engine's files into Pemba's.
var importers = map[string]func([]source.File) dialect.Result{"openfga": openfga.Import, "spicedb": spicedb.Import}

func dialectError(c *cli.Context, name string) error {
	if name == "" {
		return &usageError{command: commandPath(c), message: "--from is missing: openfga or spicedb"}
	}
	return &usageError{command: commandPath(c), message: fmt.Sprintf("there is no dialect %q: openfga and spicedb are read", name),
		suggestion: source.DidYouMean(name, []string{"openfga", "spicedb"})}
}

func importSchema(c *cli.Context) error {
	importer := importers[c.String("from")]
	if importer == nil {
		return dialectError(c, c.String("from"))
	}
	files, err := foreignFiles(c)
	if err != nil {
		return err
	}
	root := c.Args().First()
	result := importer(files)
	placed(root, result.Report)
	if c.Bool("json") {
		return printImportJSON(c, result)
	}
	fmt.Fprint(c.App.ErrWriter, renderDiagnostics(result.Report))
	if result.Err() != nil {
		fmt.Fprintf(c.App.ErrWriter, "nothing was imported: %s\n", plural(countErrors(result.Report), "fault"))
		return errQuiet(exitError)
	}
	if folder := c.String("dir"); folder != "" {
		return writeFiles(c, folder, result.Files)
	}
	return printFiles(c, result.Files)
}

// foreignFiles reads the files of another engine's schema that the arguments
// name, the root first.
func foreignFiles(c *cli.Context) ([]source.File, error) {
	if !c.Args().Present() {
		return nil, &usageError{command: commandPath(c), message: "no file is named"}
	}
	root := c.Args().First()
	var files []source.File
	for _, name := range c.Args().Slice() {
		text, err := readText(c, name)
		if err != nil {
			return nil, err
		}
		below := "stdin"
		if name != "-" {
			if below, err = filepath.Rel(filepath.Dir(root), name); err != nil {
				return nil, err
			}
		}
		files = append(files, source.File{Name: filepath.ToSlash(below), Text: text})
	}
	return files, nil
}

func countErrors(ds source.Diagnostics) int {
	n := 0
	for _, d := range ds {
		if d.Severity == source.Error {
			n++
		}
	}
	return n
}

func printImportJSON(c *cli.Context, result dialect.Result) error {
	out := struct {
		Files    []api.SchemaFile `json:"files"`
		Errors   api.Faults       `json:"errors"`
		Warnings api.Faults       `json:"warnings"`
	}{Files: apiFiles(result.Files), Errors: api.Faults{}, Warnings: api.Faults{}}
	for _, d := range result.Report {
		fault := faultsOf(source.Diagnostics{d})[0]
		if d.Severity == source.Error {
			out.Errors = append(out.Errors, fault)
		} else {
			out.Warnings = append(out.Warnings, fault)
		}
	}
	if err := printJSON(c.App.Writer, out); err != nil {
		return err
	}
	if result.Err() != nil {
		return errQuiet(exitError)
	}
	return nil
}
