package main

import (
	"io"
	"iter"
	"os"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/urfave/cli/v2"
)

// inputFile is a file that can be read twice.
type inputFile struct {
	name   string
	file   *os.File
	stream io.Reader // standard input: the first reading keeps it in file, so a fault ends an endless one; then nil
	format tuplefile.Format
	from   func(name string, r io.Reader) iter.Seq2[dialect.Placed, error] // another engine's; nil: format says how
}

// tupleImporters read other engines' files of tuples.
var tupleImporters = map[string]func(name string, r io.Reader) iter.Seq2[dialect.Placed, error]{
	"openfga": openfga.Tuples, "spicedb": spicedb.Tuples,
}

// openFiles opens what the arguments name; standard input is kept in a file.
func openFiles(c *cli.Context) (files []*inputFile, done func(), err error) {
	var closers []func()
	done = func() {
		for _, f := range closers {
			f()
		}
	}
	from := c.String("from")
	switch {
	case from != "" && tupleImporters[from] == nil:
		return nil, nil, dialectError(c, from)
	case from != "" && c.String("format") != "":
		return nil, nil, &usageError{command: commandPath(c), message: "--format and --from exclude each other: " + from + " has its own formats"}
	}
	for _, name := range c.Args().Slice() {
		in := &inputFile{name: name, format: tuplefile.FormatOf(name), from: tupleImporters[from]}
		if text := c.String("format"); text != "" {
			if in.format, err = tuplefile.ParseFormat(text); err != nil {
				done()
				return nil, nil, err
			}
		}
		if name == "-" {
			in.name = "standard input"
			in.stream = c.App.Reader
			in.file, err = os.CreateTemp("", "pemba-import-*")
		} else {
			in.file, err = os.Open(name)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		file := in.file
		closers = append(closers, func() {
			file.Close()
			if name == "-" {
				os.Remove(file.Name())
			}
		})
		files = append(files, in)
	}
	return files, done, nil
}

// entries reads the file from its beginning.
func (in *inputFile) entries() (iter.Seq2[tuplefile.Entry, error], error) {
	var from io.Reader = in.file
	if in.stream != nil {
		from, in.stream = io.TeeReader(in.stream, in.file), nil
	} else if _, err := in.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if in.from == nil {
		return tuplefile.Read(in.name, from, in.format), nil
	}
	return func(yield func(tuplefile.Entry, error) bool) {
		for t, err := range in.from(in.name, from) {
			if !yield(tuplefile.Entry{Tuple: t.Tuple, Place: t.Place}, err) {
				return
			}
		}
	}, nil
}
