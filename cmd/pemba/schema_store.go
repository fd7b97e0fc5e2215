package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func schemaPutCommand() *cli.Command {
	return &cli.Command{
		Name: "put", Usage: "make a schema, with what it imports, the schema of the store", ArgsUsage: "FILE",
		Description: "With --from the files are another engine's, as for schema import: the store keeps them and what they became.",
		Flags: remote(fromFlag(),
			&cli.StringFlag{Name: "orphans", Value: string(api.RefuseOrphans), Usage: "what happens to tuples that it does not admit: `refuse`, delete or ignore"},
			&cli.StringFlag{Name: "if-match", Usage: "replace only the schema with this `ETAG`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "let the server compile it, and write nothing"},
		),
		Action: putSchema,
	}
}

func putSchema(c *cli.Context) error {
	schemaSource, err := schemaArgument(c)
	if err != nil {
		return err
	}
	root := c.Args().First()
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		answer, err := store.ValidateSchema(c.Context, schemaSource)
		if err != nil {
			return placed(root, err)
		}
		if c.Bool("json") {
			return printJSON(c.App.Writer, answer)
		}
		printWarnings(c, root, answer.Warnings)
		_, err = fmt.Fprintf(c.App.Writer, "%s is good; nothing was written\n", root)
		return err
	}
	answer, err := store.PutSchema(c.Context, api.PutSchemaRequest{SchemaSource: schemaSource,
		Orphans: api.Orphans(c.String("orphans")), IfMatch: c.String("if-match")})
	if err != nil {
		return placed(root, err)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, answer)
	}
	printWarnings(c, root, answer.Warnings)
	what := "schema written"
	if !answer.Changed {
		what = "the store has this schema already"
	}
	if answer.Deleted > 0 {
		what += fmt.Sprintf(", %s deleted that it does not admit", plural(answer.Deleted, "tuple"))
	}
	if answer.Quarantined > 0 {
		what += fmt.Sprintf(", %s set aside that it does not admit", plural(answer.Quarantined, "tuple"))
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\netag %s\n", what, answer.ETag)
	return err
}

// schemaArgument reads the schema that the arguments name, in any dialect.
func schemaArgument(c *cli.Context) (api.SchemaSource, error) {
	from := c.String("from")
	if from == "" {
		args, err := arguments(c, "FILE")
		if err != nil {
			return api.SchemaSource{}, err
		}
		files, err := loadFile(c, args[0])
		return api.SchemaSource{Files: apiFiles(files)}, err
	}
	if importers[from] == nil {
		return api.SchemaSource{}, dialectError(c, from)
	}
	files, err := foreignFiles(c)
	return api.SchemaSource{Files: apiFiles(files), Dialect: api.Dialect(from)}, err
}

func printWarnings(c *cli.Context, root string, warnings api.Faults) {
	for _, f := range warnings {
		d := faultDiagnostic(f)
		d.Severity = source.Warning
		if f.File != "" && root != "-" {
			d.Place.File = located(root, f.File)
		}
		fmt.Fprint(c.App.ErrWriter, d.Render())
	}
}

func schemaGetCommand() *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "print the schema of the store",
		Flags: remote(
			&cli.StringFlag{Name: "at", Usage: "the schema at the revision of `TOKEN`"},
			&cli.StringFlag{Name: "dir", Usage: "write its files into `FOLDER` instead; no file is replaced"},
			&cli.BoolFlag{Name: "versions", Usage: "list the schemas that the store has and had"},
		),
		Action: getSchema,
	}
}

func getSchema(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	if c.Bool("versions") {
		answer, err := store.SchemaVersions(c.Context)
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return printJSON(c.App.Writer, answer)
		}
		t := newTable(c.App.Writer, "written", "etag", "token")
		for _, v := range answer.Versions {
			t.row(v.WrittenAt.UTC().Format("2006-01-02 15:04:05"), v.ETag, string(v.Token))
		}
		return t.flush()
	}
	answer, err := store.Schema(c.Context, tuple.Token(c.String("at")))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, answer)
	}
	if folder := c.String("dir"); folder != "" {
		return writeFiles(c, folder, sourceFiles(answer.Files))
	}
	return printFiles(c, sourceFiles(answer.Files))
}

// printFiles prints files one after the other; more than one with their names.
func printFiles(c *cli.Context, files []source.File) error {
	for _, f := range files {
		if len(files) > 1 {
			fmt.Fprintf(c.App.Writer, "// %s\n", f.Name)
		}
		if _, err := fmt.Fprint(c.App.Writer, f.Text); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles writes files below a folder and nowhere else, and replaces none.
func writeFiles(c *cli.Context, folder string, files []source.File) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		name := filepath.FromSlash(f.Name)
		if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		_, err = file.WriteString(f.Text)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		fmt.Fprintln(c.App.ErrWriter, filepath.Join(folder, name))
	}
	return nil
}
