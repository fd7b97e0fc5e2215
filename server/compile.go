package server

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// compiled is a schema that may be written.
type compiled struct {
	module     *schema.Module
	change     raftstore.SchemaRequest
	warnings   api.Faults
	translated []api.SchemaFile // from another dialect: what it became
}

// compile reads a schema in any dialect. Its errors come as one
// source.Diagnostics, all at once.
func (s *Server) compile(ctx context.Context, from api.SchemaSource) (compiled, error) {
	files, err := s.files(from.Files)
	if err != nil {
		return compiled{}, err
	}
	select { // compiling takes a processor for itself, and what it takes of memory is bounded per schema
	case s.compiling <- struct{}{}:
		defer func() { <-s.compiling }()
	case <-ctx.Done():
		return compiled{}, context.Cause(ctx)
	}
	var (
		out   compiled
		found source.Diagnostics
	)
	importer := func(result dialect.Result) error {
		found, out.change.Original, out.change.Dialect = result.Report, files, string(from.Dialect)
		files = result.Files
		return result.Err()
	}
	switch from.Dialect {
	case "", api.Pemba:
	case api.OpenFGA:
		err = importer(openfga.Import(files))
	case api.SpiceDB:
		err = importer(spicedb.Import(files))
	default:
		err = api.Faults{{Code: api.InvalidValue, Pointer: "/dialect", Message: fmt.Sprintf("there is no dialect %q", tuple.Clip(string(from.Dialect))),
			Expected: "pemba, openfga or spicedb"}}.Problem()
	}
	if err != nil {
		return compiled{}, err
	}
	module, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		return compiled{}, err
	}
	out.module = module
	out.change.Files, out.change.Admission = module.Files, module.Admission
	out.warnings = diagnosticFaults(append(found, module.Warnings...))
	if out.change.Original != nil {
		out.translated = wireFiles(module.Files)
	}
	return out, nil
}

// files checks the bounds and the form of schema files.
func (s *Server) files(wire []api.SchemaFile) ([]source.File, error) {
	var faults api.Faults
	if len(wire) == 0 {
		faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: "/files", Message: "a schema has at least one file"})
	}
	if len(wire) > s.limits.SchemaFiles {
		return nil, api.Faults{tooMany("/files", "files", len(wire), s.limits.SchemaFiles, "schema_files")}.Problem()
	}
	var size int64
	files := make([]source.File, len(wire))
	names := make(map[string]bool, len(wire))
	for i, f := range wire {
		pointer := "/files/" + itoa(i)
		if f.Name == "" || names[f.Name] {
			faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: pointer + "/name",
				Message: fmt.Sprintf("the name %q is empty or stands twice", tuple.Clip(f.Name)), Expected: "a name of its own for every file"})
		}
		if !utf8.ValidString(f.Text) {
			faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: pointer + "/text", Message: "the text is not valid UTF-8"})
		}
		names[f.Name] = true
		size += int64(len(f.Text))
		files[i] = source.File{Name: f.Name, Text: f.Text}
	}
	if size > s.limits.SchemaBytes {
		return nil, api.NewProblem(api.BodyTooLarge, fmt.Sprintf("the schema has %d bytes, %d are the most (schema_bytes of /v1/limits)", size, s.limits.SchemaBytes))
	}
	return files, faults.Err()
}

func wireFiles(files []source.File) []api.SchemaFile {
	if files == nil {
		return nil
	}
	wire := make([]api.SchemaFile, len(files))
	for i, f := range files {
		wire[i] = api.SchemaFile{Name: f.Name, Text: f.Text}
	}
	return wire
}
