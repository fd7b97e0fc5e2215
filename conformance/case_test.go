package conformance

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/dialect/openfga"
	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/server/api"
)

// suiteCase is one case: stages that run in order in one fresh store.
type suiteCase struct {
	ID      string      `json:"id"`
	Source  string      `json:"source"`
	Dialect api.Dialect `json:"dialect"`
	Note    string      `json:"note"`
	Stages  []stage     `json:"stages"`
}

type stage struct {
	Name       string       `json:"name"`
	Schema     *suiteSchema `json:"schema"`
	Tuples     []suiteTuple `json:"tuples"`
	Contextual bool         `json:"contextual"` // the tuples are sent with every request
	Asserts    []assertion  `json:"asserts"`
}

// suiteSchema is a schema in its own dialect.
type suiteSchema struct {
	Text   string            `json:"text"`
	Format string            `json:"format"`
	Files  map[string]string `json:"files"`
	JSON   string            `json:"json"` // the same OpenFGA model as JSON
}

type suiteTuple struct {
	Object     string          `json:"object"`
	Relation   string          `json:"relation"`
	Subject    string          `json:"subject"`
	Condition  *suiteCondition `json:"condition"`
	Expiration time.Time       `json:"expiration"`
}

type suiteCondition struct {
	Name    string         `json:"name"`
	Context jsontext.Value `json:"context"`
}

type assertion struct {
	Kind   string       `json:"kind"`
	Name   string       `json:"name"`
	Schema *suiteSchema `json:"schema"`

	Object           string         `json:"object"`
	ObjectType       string         `json:"object_type"`
	Relation         string         `json:"relation"`
	Subject          string         `json:"subject"`
	SubjectType      string         `json:"subject_type"`
	SubjectRelation  string         `json:"subject_relation"`
	Context          jsontext.Value `json:"context"`
	ContextualTuples []suiteTuple   `json:"contextual_tuples"`
	Write            []suiteTuple   `json:"write"`
	Delete           bool           `json:"delete"`

	Expect  string     `json:"expect"`
	Items   []item     `json:"items"`
	Match   string     `json:"match"`
	Min     int        `json:"min"`
	ErrorOK bool       `json:"error_ok"`
	Missing []string   `json:"missing"`
	Error   suiteError `json:"error"`
}

type item struct {
	ID          string `json:"id"`
	Conditional bool   `json:"conditional"`
	Excluded    []item `json:"excluded"`
}

// suiteError is what the other engine answered: its codes and words are not
// Pemba's, but they tell why an error is expected.
type suiteError struct {
	Code     string `json:"code"`
	Contains string `json:"contains"`
}

// maxCase is the longest line of a file of cases, in bytes.
const maxCase = 64 << 20

// loadCases reads every *.jsonl of the folder.
func loadCases(t *testing.T, folder string) []suiteCase {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no *.jsonl in %s (%v)", folder, err)
	}
	var cases []suiteCase
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, maxCase)
		for n := 1; lines.Scan(); n++ {
			var c suiteCase
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s:%d: %v", name, n, err)
			}
			cases = append(cases, c)
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return cases
}

// source gives a schema the form in which it is put. The root is the first file.
func (s *suiteSchema) source(d api.Dialect) api.SchemaSource {
	root := api.SchemaFile{Name: "model.fga", Text: s.Text}
	source := api.SchemaSource{Dialect: d}
	switch {
	case s.Format == "openfga-json":
		root.Name = "model.json"
	case s.Format == "openfga-modules":
		root.Name = "fga.mod"
	case d == api.SpiceDB:
		root.Name = "root.zed"
	}
	source.Files = []api.SchemaFile{root}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		source.Files = append(source.Files, api.SchemaFile{Name: name, Text: s.Files[name]})
	}
	return source
}

// naming gives the names of a dialect their form in Pemba, as the importers do.
type naming struct {
	object, subject, typ, relation, condition func(string) string
}

func same(s string) string { return s }

var namings = map[api.Dialect]naming{
	api.OpenFGA: {openfga.Object, openfga.Subject, openfga.TypeName, openfga.RelationName, openfga.ConditionName},
	api.SpiceDB: {same, same, same, same, spicedb.CaveatName},
}

func (n naming) tuples(list []suiteTuple) []api.Tuple {
	out := make([]api.Tuple, len(list))
	for i, t := range list {
		out[i] = api.Tuple{Object: n.object(t.Object), Relation: n.relation(t.Relation), Subject: n.subject(t.Subject), Expires: t.Expiration}
		if t.Condition != nil {
			out[i].Condition = &api.Condition{Name: n.condition(t.Condition.Name), Context: api.Context(t.Condition.Context)}
		}
	}
	return out
}

// String names the assertion in a report.
func (a *assertion) String() string {
	text := a.Kind
	if a.Name != "" {
		text += " (" + a.Name + ")"
	}
	return fmt.Sprintf("%s object=%s%s relation=%s subject=%s%s%s context=%s", text, a.Object, a.ObjectType, a.Relation,
		a.Subject, a.SubjectType, hash(a.SubjectRelation), a.Context)
}

func hash(relation string) string {
	if relation == "" {
		return ""
	}
	return "#" + relation
}
