package openfga

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Tuples reads a tuple file as OpenFGA's command line reads and writes it, or as
// its API answers, by the ending of its name: .csv, .yaml or .yml (a list of
// tuples, or a store file, of which the tuples alone are read), and else JSON (a
// list, one tuple a line, or the bodies of its read and write requests).
//
// Names are given as Import gives them. An error that is a *source.Diagnostic
// tells of one tuple, or of the file's form, and where it is; the tuples that can
// still be read follow it. CSV and JSON are read as streams.
func Tuples(name string, r io.Reader) iter.Seq2[dialect.Placed, error] {
	switch strings.ToLower(path.Ext(name)) {
	case ".csv":
		return func(yield func(dialect.Placed, error) bool) { readCSV(name, r, yield) }
	case ".yaml", ".yml":
		return func(yield func(dialect.Placed, error) bool) { readYAML(name, r, yield) }
	}
	return func(yield func(dialect.Placed, error) bool) { readTuplesJSON(name, r, yield) }
}

// errStop ends a reader whose caller wants no more.
var errStop = errors.New("stopped")

// key is a tuple as OpenFGA writes it.
type key struct {
	user, relation, object string
	condition              string
	context                []byte // JSON; nil when there is none
}

// tuple turns a key into a tuple of Pemba's.
func (k key) tuple(at source.Place) (dialect.Placed, error) {
	t := dialect.Placed{Place: at}
	fail := func(field string, err error) (dialect.Placed, error) {
		var syntax *tuple.SyntaxError
		if errors.As(err, &syntax) {
			return t, dialect.Fault(at, "%s %q: %s", field, tuple.Clip(syntax.Text), syntax.Reason)
		}
		return t, dialect.Fault(at, "%s: %v", field, err)
	}
	var err error
	if t.Object, err = tuple.ParseObject(renameObject(k.object)); err != nil {
		return fail("object", err)
	}
	t.Relation = RelationName(k.relation)
	if err := tuple.ValidName(t.Relation, false); err != nil {
		return fail("relation", err)
	}
	if t.Subject, err = tuple.ParseSubject(renameSubject(k.user)); err != nil {
		return fail("user", err)
	}
	if k.condition == "" {
		if k.context != nil {
			return t, dialect.Fault(at, "condition: a context without the name of a condition")
		}
		return t, nil
	}
	t.Condition.Name = ConditionName(k.condition)
	if err := tuple.ValidName(t.Condition.Name, false); err != nil {
		return fail("condition name", err)
	}
	if k.context != nil {
		if t.Condition.Context, err = tuple.CanonicalContext(k.context); err != nil {
			return fail("condition context", err)
		}
	}
	return t, nil
}

// renameObject gives the type of an object its name in Pemba.
func renameObject(text string) string {
	typ, id, ok := strings.Cut(text, ":")
	if !ok {
		return text
	}
	return TypeName(typ) + ":" + id
}

// renameSubject gives the type and relation of a subject their names.
func renameSubject(text string) string {
	head, relation, ok := strings.Cut(text, "#")
	if !ok {
		return renameObject(text)
	}
	return renameObject(head) + "#" + RelationName(relation)
}

// Subject returns a subject, user:ana or group:eng#member, with the names that
// Import gives; Object does so for an object.
func Subject(text string) string { return renameSubject(text) }

// Object returns an object with the name that Import gives its type.
func Object(text string) string { return renameObject(text) }

// unknownField refuses a field of a tuple.
func unknownField(at source.Place, field string) error {
	return dialect.Fault(at, "%s", fmt.Sprintf("a tuple has no field %q: it has user, relation, object and condition", tuple.Clip(field)))
}
