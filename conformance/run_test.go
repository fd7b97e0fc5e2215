package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
)

// target is a store that a case runs in: fresh, and of this case alone.
type target interface {
	putSchema(ctx context.Context, request api.PutSchemaRequest) error
	write(ctx context.Context, operations []api.Operation) error
	check(ctx context.Context, request api.CheckRequest) (api.Answer, error)
	objects(ctx context.Context, request api.LookupObjectsRequest) ([]api.FoundObject, error)
	subjects(ctx context.Context, request api.LookupSubjectsRequest) ([]api.FoundSubject, error)
}

// maxOperations is how many tuples of a stage are written at once.
const maxOperations = 100

// runner runs one case.
type runner struct {
	target     target
	dialect    api.Dialect
	naming     naming
	asJSON     bool         // schemas are put in the JSON form where they have one
	contextual []suiteTuple // the stage's
}

// run returns what went wrong; nothing when the case passes.
func (r *runner) run(ctx context.Context, c *suiteCase) []error {
	var wrong []error
	for i := range c.Stages {
		s := &c.Stages[i]
		if s.Schema != nil {
			if err := r.put(ctx, s.Schema); err != nil {
				return append(wrong, fmt.Errorf("stage %d: its schema was refused: %w", i, err))
			}
		}
		r.contextual = nil
		if s.Contextual {
			r.contextual = s.Tuples
		} else if err := r.write(ctx, api.Touch, s.Tuples, maxOperations); err != nil {
			return append(wrong, fmt.Errorf("stage %d: its tuples were refused: %w", i, err))
		}
		for j := range s.Asserts {
			if err := r.assert(ctx, &s.Asserts[j]); err != nil {
				wrong = append(wrong, fmt.Errorf("stage %d: %s: %w", i, &s.Asserts[j], err))
			}
		}
	}
	return wrong
}

// put writes a schema. Tuples that it no longer admits are kept and ignored
// under OpenFGA, and refuse the change under SpiceDB (rule 7).
func (r *runner) put(ctx context.Context, s *suiteSchema) error {
	request := api.PutSchemaRequest{SchemaSource: s.source(r.dialect), Orphans: api.RefuseOrphans}
	if r.asJSON && s.JSON != "" {
		request.SchemaSource = (&suiteSchema{Text: s.JSON, Format: "openfga-json"}).source(r.dialect)
	}
	if r.dialect == api.OpenFGA {
		request.Orphans = api.IgnoreOrphans
	}
	return r.target.putSchema(ctx, request)
}

func (r *runner) write(ctx context.Context, op api.Op, list []suiteTuple, atOnce int) error {
	tuples := r.naming.tuples(list)
	for len(tuples) > 0 {
		n := min(len(tuples), atOnce)
		operations := make([]api.Operation, n)
		for i, t := range tuples[:n] {
			operations[i] = api.Operation{Op: op, Tuple: t}
		}
		if err := r.target.write(ctx, operations); err != nil {
			return err
		}
		tuples = tuples[n:]
	}
	return nil
}

// extra is what a request brings beside its question.
func (r *runner) extra(a *assertion) api.Brought {
	out := api.Brought{Context: api.Context(a.Context)}
	if list := append(append([]suiteTuple{}, r.contextual...), a.ContextualTuples...); len(list) > 0 {
		out.ContextualTuples = r.naming.tuples(list)
	}
	return out
}

func (r *runner) assert(ctx context.Context, a *assertion) error {
	switch a.Kind {
	case "check":
		return r.check(ctx, a)
	case "list_objects":
		return r.listObjects(ctx, a)
	case "list_subjects":
		return r.listSubjects(ctx, a)
	case "schema_ok", "schema_error":
		return r.schema(ctx, a)
	case "write_ok", "write_error":
		return r.writes(ctx, a)
	}
	return fmt.Errorf("unknown kind %q", a.Kind)
}

func (r *runner) check(ctx context.Context, a *assertion) error {
	request := api.CheckRequest{Question: api.Question{Object: r.naming.object(a.Object), Permission: r.naming.relation(a.Relation), Subject: r.naming.subject(a.Subject)}}
	request.Brought = r.extra(a)
	return a.judgeCheck(r.target.check(ctx, request))
}

func (r *runner) listObjects(ctx context.Context, a *assertion) error {
	request := api.LookupObjectsRequest{ObjectType: r.naming.typ(a.ObjectType), Permission: r.naming.relation(a.Relation), Subject: r.naming.subject(a.Subject)}
	request.Brought = r.extra(a)
	list, err := r.target.objects(ctx, request)
	got := found{}
	for _, o := range list {
		if _, twice := got[o.Object]; twice {
			return fmt.Errorf("%s was found twice", o.Object)
		}
		got[o.Object] = o.Result
	}
	return r.named(a, r.naming.object).judgeList(got, err, r.dialect)
}

func (r *runner) listSubjects(ctx context.Context, a *assertion) error {
	request := api.LookupSubjectsRequest{Object: r.naming.object(a.Object), Permission: r.naming.relation(a.Relation), SubjectType: r.naming.typ(a.SubjectType)}
	if a.SubjectRelation != "" {
		request.SubjectRelation = r.naming.relation(a.SubjectRelation)
	}
	request.Brought = r.extra(a)
	list, err := r.target.subjects(ctx, request)
	got := found{}
	for _, s := range list {
		if _, twice := got[s.Subject]; twice {
			return fmt.Errorf("%s was found twice", s.Subject)
		}
		got[s.Subject] = s.Result
	}
	return r.named(a, r.naming.subject).judgeList(got, err, r.dialect)
}

// named gives the items of an assertion their names in Pemba. An item of a
// lookup of usersets may leave out the relation, which is that of the request.
func (r *runner) named(a *assertion, name func(string) string) *assertion {
	out := *a
	out.Items = make([]item, len(a.Items))
	for i, it := range a.Items {
		if a.Kind == "list_subjects" && a.SubjectRelation != "" && !strings.Contains(it.ID, "#") {
			it.ID += "#" + a.SubjectRelation
		}
		it.ID = name(it.ID)
		out.Items[i] = it
	}
	return &out
}

// schema judges a schema by writing it. Where only its form counts, names that
// lead nowhere are forgiven.
func (r *runner) schema(ctx context.Context, a *assertion) error {
	err := r.put(ctx, a.Schema)
	if a.Kind == "schema_error" {
		return wantRefusal(err)
	}
	if err != nil && a.Match == "parse_only" && r.dialect == api.SpiceDB {
		var files []source.File
		for _, f := range a.Schema.source(r.dialect).Files {
			files = append(files, source.File{Name: f.Name, Text: f.Text})
		}
		return spicedb.Syntax(files).Errors()
	}
	if err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	return nil
}

func (r *runner) writes(ctx context.Context, a *assertion) error {
	op := api.Create
	if a.Delete {
		op = api.Delete
	}
	err := r.write(ctx, op, a.Write, len(a.Write))
	if a.Kind == "write_error" {
		return wantRefusal(err)
	}
	if err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	return nil
}

func wantRefusal(err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("accepted, want an error")
	case refusal(err):
		return nil
	}
	return fmt.Errorf("got an error that is no refusal: %w", err)
}

// report counts the cases of one source.
type report struct{ passed, failed int }

// runCase runs a case, and where its schemas have a JSON form once more with it.
func runCase(t *testing.T, c *suiteCase, fresh func(t *testing.T) target) bool {
	forms := []bool{false}
	for _, s := range c.Stages {
		if s.Schema != nil && s.Schema.JSON != "" {
			forms = []bool{false, true}
		}
		for _, a := range s.Asserts {
			if a.Schema != nil && a.Schema.JSON != "" {
				forms = []bool{false, true}
			}
		}
	}
	passed := true
	for _, asJSON := range forms {
		r := &runner{target: fresh(t), dialect: c.Dialect, naming: namings[c.Dialect], asJSON: asJSON}
		for _, err := range r.run(t.Context(), c) {
			passed = false
			t.Errorf("%v", err)
		}
	}
	return passed
}
