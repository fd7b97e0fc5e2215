package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Scenario is a scenario file: a txtar archive (a comment that says what it is
// about, then files, each behind a line "-- name --"):
//
//	schema.pemba   the schema; other .pemba files are what it imports
//	tests.pemba    tests that import the schema; without it the tests stand in schema.pemba
//	tuples.txt     tuples that every test is given beside its own, one per line
//	refused.txt    tuples that the schema must not admit: the tuple, " => ", and the code
//	errors.txt     what is wrong with the schema: file:line:column and the code, all of it
//
// In .txt files, empty lines and what follows "//" at the beginning of a line are
// left out.
type Scenario struct {
	Name    string // the file's, without .txtar
	Comment string
	Files   []source.File // the .pemba files, the root first
	Tuples  []Line[tuple.Tuple]
	Refused []Line[Refusal]
	Errors  []string // "file:line:column code", sorted
}

// Line is what one line of a .txt file says, with its place.
type Line[T any] struct {
	Value T
	Place source.Place
}

// Refusal is a tuple that must not be admitted, with the code of the refusal.
type Refusal struct {
	Tuple tuple.Tuple
	Code  schema.RefusalCode
}

// Load reads all scenario files of a folder, in the order of their names.
func Load(folder fs.FS) ([]*Scenario, error) {
	names, err := fs.Glob(folder, "*.txtar")
	if err != nil {
		return nil, err
	}
	var scenarios []*Scenario
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		s, err := Parse(name, text)
		if err != nil {
			return nil, err
		}
		scenarios = append(scenarios, s)
	}
	return scenarios, nil
}

// Parse reads one scenario file.
func Parse(name string, text []byte) (*Scenario, error) {
	archive := parseArchive(string(text))
	s := &Scenario{Name: strings.TrimSuffix(path.Base(name), ".txtar"), Comment: strings.TrimSpace(archive.comment)}
	var faults []error
	for _, f := range archive.files {
		var err error
		switch {
		case strings.HasSuffix(f.name, ".pemba"):
			s.Files = append(s.Files, source.File{Name: f.name, Text: f.text})
		case f.name == "tuples.txt":
			s.Tuples, err = lines(f, tuple.Parse)
		case f.name == "refused.txt":
			s.Refused, err = lines(f, parseRefusal)
		case f.name == "errors.txt":
			var expected []Line[string]
			expected, err = lines(f, func(text string) (string, error) { return text, nil })
			for _, line := range expected {
				s.Errors = append(s.Errors, line.Value)
			}
			slices.Sort(s.Errors)
		default:
			err = fmt.Errorf("%s: a scenario has no file of this name", f.name)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	root := func(name string) int {
		return slices.IndexFunc(s.Files, func(f source.File) bool { return f.Name == name })
	}
	switch tests := root("tests.pemba"); {
	case tests > 0:
		s.Files[0], s.Files[tests] = s.Files[tests], s.Files[0]
	case tests < 0 && root("schema.pemba") < 0:
		faults = append(faults, errors.New("there is no schema.pemba"))
	case tests < 0:
		i := root("schema.pemba")
		s.Files[0], s.Files[i] = s.Files[i], s.Files[0]
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("scenario %s: %w", name, errors.Join(faults...))
	}
	return s, nil
}

func parseRefusal(text string) (Refusal, error) {
	before, code, ok := strings.Cut(text, " => ")
	if !ok {
		return Refusal{}, errors.New(`expected a tuple, " => ", and the code of its refusal`)
	}
	t, err := tuple.Parse(strings.TrimSpace(before))
	return Refusal{t, schema.RefusalCode(strings.TrimSpace(code))}, err
}

// lines reads a .txt file line by line and reports all lines that are wrong.
func lines[T any](f file, read func(string) (T, error)) ([]Line[T], error) {
	var list []Line[T]
	var faults []error
	number := 0
	for text := range strings.Lines(f.text) {
		number++
		text = strings.TrimSpace(text)
		if text == "" || strings.HasPrefix(text, "//") {
			continue
		}
		place := source.Place{File: f.name, Line: number, Column: 1}
		v, err := read(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", place, err))
			continue
		}
		list = append(list, Line[T]{v, place})
	}
	return list, errors.Join(faults...)
}

// Compile compiles the scenario's schema; every test is given the scenario's
// tuples beside its own, where a test's own tuple of the same key wins.
func (s *Scenario) Compile() (*schema.Module, error) {
	m, err := schema.Compile(s.Files, schema.NewNumbering())
	if err != nil {
		return nil, err
	}
	for _, t := range m.Tests {
		own := map[tuple.Key]bool{}
		for _, given := range t.Given {
			own[given.Tuple.Key] = true
		}
		for _, line := range s.Tuples {
			if !own[line.Value.Key] {
				t.Given = append(t.Given, schema.Given{Tuple: line.Value, Place: line.Place})
			}
		}
	}
	return m, nil
}

// Check holds the scenario to what it says beyond its tests: the schema has the
// errors that it lists and no others, and the tuples that must not be admitted
// are refused for the reason given. It returns the compiled module, or nil where
// the schema has the errors that it should have.
func (s *Scenario) Check() (*schema.Module, error) {
	m, err := s.Compile()
	var found source.Diagnostics
	if errors.As(err, &found) {
		var got []string
		for _, d := range found {
			got = append(got, d.Place.String()+" "+d.Code)
		}
		slices.Sort(got)
		if slices.Equal(got, s.Errors) {
			return nil, nil
		}
		if len(s.Errors) == 0 {
			return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
		return nil, fmt.Errorf("scenario %s: the schema's errors are\n%s\nand should be\n%s", s.Name,
			strings.Join(got, "\n"), strings.Join(s.Errors, "\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	if len(s.Errors) > 0 {
		return nil, fmt.Errorf("scenario %s: the schema has no errors and should have\n%s", s.Name, strings.Join(s.Errors, "\n"))
	}
	var faults []error
	for _, line := range s.Refused {
		tuples := make([]tuple.Tuple, 0, len(s.Tuples)+1)
		for _, given := range s.Tuples {
			tuples = append(tuples, given.Value)
		}
		got := schema.RefusalCode("")
		for _, refused := range Admit(m.Admitter, append(tuples, line.Value.Tuple)) {
			if refused.Index == len(tuples) {
				got = refused.Code
			}
		}
		if got != line.Value.Code {
			faults = append(faults, fmt.Errorf("scenario %s: %s: the tuple %s should be refused with %s, got %q", s.Name, line.Place,
				line.Value.Tuple, line.Value.Code, got))
		}
	}
	return m, errors.Join(faults...)
}
