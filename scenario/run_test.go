package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/internal/golden"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// laconic explains in two lines.
type laconic struct{ scenario.World }

func (laconic) Explain(_ context.Context, q engine.Question, _ time.Time, _ tuple.Context) string {
	return "because of " + q.Subject.String() + "\nand so on"
}

func TestReports(t *testing.T) {
	text, err := os.ReadFile("testdata/failing.txtar")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("failing.txtar", text)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	explained, err := scenario.Run(t.Context(), m, scenario.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	if why := explained.Tests[1].Checks[0].Why; !strings.Contains(why, "document:d#viewer@user:bob with by_day") || !strings.Contains(why, "day, hour") {
		t.Errorf("the explanation does not name the tuple and what is missing:\n%s", why)
	}
	// The golden files are about the report, not about how the engine explains.
	report, err := scenario.Run(t.Context(), m, scenario.Options{Now: now,
		Open: func(_ context.Context, m *schema.Module, tuples []tuple.Tuple) (scenario.World, error) {
			w, err := scenario.OpenMemory(m, tuples, engine.Limits{}, nil)
			return laconic{w}, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	if report.OK() || report.Coverage != nil {
		t.Errorf("got OK %t, coverage %v, want failures and no coverage", report.OK(), report.Coverage)
	}
	report.Coverage = explained.Coverage
	var out bytes.Buffer
	if err := report.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/failing.txt", out.String())

	out.Reset()
	if err := report.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Cases []struct {
				Failure, Error *struct{}
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, suite := range suites.Suites {
		cases += len(suite.Cases)
	}
	if cases != suites.Tests || suites.Failures+suites.Errors != report.Failed || suites.Tests != report.Passed+report.Failed {
		t.Errorf("got %d cases of %d, %d failures and %d errors; the report says %d passed, %d failed",
			cases, suites.Tests, suites.Failures, suites.Errors, report.Passed, report.Failed)
	}
	times := regexp.MustCompile(`time="[0-9.]+"`)
	golden.Compare(t, "testdata/failing.xml", times.ReplaceAllString(out.String(), `time="0.000"`))

	out.Reset()
	if err := report.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	if !json.Valid(out.Bytes()) {
		t.Errorf("this is not JSON:\n%s", out.Bytes())
	}
	golden.Compare(t, "testdata/failing.json", out.String())
}

// TestJUnitHoldsAnyText: names and messages with anything in them make valid XML.
func TestJUnitHoldsAnyText(t *testing.T) {
	nasty := "]]> <&\"' \x01 \xff é\n\t"
	report := &scenario.Report{File: nasty, Tests: []*scenario.Test{{Name: nasty, Faults: []scenario.Fault{{Message: nasty}},
		Checks: []*scenario.Check{{Subject: nasty, Want: nasty, Got: nasty, Why: nasty}}}}}
	var out bytes.Buffer
	if err := report.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&out)
	for {
		if _, err := decoder.Token(); err != nil {
			if err.Error() != "EOF" {
				t.Error(err)
			}
			return
		}
	}
}

func compile(t *testing.T, text string) *schema.Module {
	t.Helper()
	m, err := schema.Compile([]source.File{{Name: "s.pemba", Text: text}}, schema.NewNumbering())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatch(t *testing.T) {
	m := compile(t, `pemba 1
type user
test "one" { }
test "two" { }
`)
	report, err := scenario.Run(t.Context(), m, scenario.Options{Match: func(name string) bool { return name == "two" }})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Tests) != 1 || report.Tests[0].Name != "two" || !report.OK() {
		t.Errorf("got %+v", report)
	}
}

// TestTuplesAreAdmitted: a test whose tuples the schema does not admit does not
// run, and says which and why. The compiler refuses such tests already; tuples
// that come later are judged all the same.
func TestTuplesAreAdmitted(t *testing.T) {
	m := compile(t, `pemba 1
type user
type group { relation owner: [user] at most 1 }
sealed group:all#owner = user:root
test "t" { allow user:ana to owner on group:g }
`)
	for _, text := range []string{"group:all#owner@user:ana", "group:g#owner@user:ana", "group:g#owner@user:ana", "group:g#owner@user:bob", "group:g#boss@user:ana"} {
		tup, err := tuple.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		m.Tests[0].Given = append(m.Tests[0].Given, schema.Given{Tuple: tup})
	}
	report, err := scenario.Run(t.Context(), m, scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, f := range report.Tests[0].Faults {
		codes = append(codes, f.Code)
	}
	if want := []string{"sealed", "duplicate_tuple", "at_most", "unknown_relation"}; !slices.Equal(codes, want) || report.OK() || report.Failed != 4 {
		t.Errorf("got %v, %d failed, want %v", codes, report.Failed, want)
	}
}

// silent is a world that answers nothing.
type silent struct{ err error }

func (s silent) Check(context.Context, []engine.Question, time.Time, tuple.Context) ([]engine.Result, error) {
	return nil, s.err
}
func (silent) Explain(context.Context, engine.Question, time.Time, tuple.Context) string { return "" }
func (silent) Close() error                                                              { return nil }

func TestWorldThatFails(t *testing.T) {
	m := compile(t, `pemba 1
type user
type group { relation member: [user] }
test "t" { deny user:ana to member on group:g }
`)
	lost := errors.New("the connection is lost")
	_, err := scenario.Run(t.Context(), m, scenario.Options{Open: func(context.Context, *schema.Module, []tuple.Tuple) (scenario.World, error) {
		return silent{lost}, nil
	}})
	if !errors.Is(err, lost) || !strings.Contains(err.Error(), "s.pemba:4") {
		t.Errorf("got %v, want %v with its place", err, lost)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if report, err := scenario.Run(cancelled, m, scenario.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v, %v", report, err)
	}
	// A world that leaves answers out is an error, not a pass.
	if report, err := scenario.Run(t.Context(), m, scenario.Options{Open: func(context.Context, *schema.Module, []tuple.Tuple) (scenario.World, error) {
		return silent{}, nil
	}}); err == nil {
		t.Errorf("no answers: got %+v, want an error", report)
	}
}

func TestParseFaults(t *testing.T) {
	for text, want := range map[string]string{
		"-- tuples.txt --\n": "there is no schema.pemba",
		"-- schema.pemba --\npemba 1\n-- tuples.txt --\nbroken\ntype:id#r\n": "tuples.txt:2:1",
		"-- schema.pemba --\npemba 1\n-- refused.txt --\na:b#c@d:e\n":        `refused.txt:1:1: expected a tuple, " => "`,
		"-- schema.pemba --\npemba 1\n-- schema.pmba --\n":                   "schema.pmba: a scenario has no file of this name",
		"-- schema.pemba --\npemba 1\n-- refused.txt --\na:b c#d@e:f => x\n": "refused.txt:1:1",
	} {
		if _, err := scenario.Parse("x.txtar", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestScenarioThatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"admits what it should refuse": {"-- schema.pemba --\npemba 1\ntype user\ntype g { relation m: [user] }\n-- refused.txt --\ng:a#m@user:x => sealed\n",
			"should be refused with sealed"},
		"an error that is not expected": {"-- schema.pemba --\npemba 1\ntype g { relation m: [usr] }\n", `no type "usr"`},
		"no error where one is expected": {"-- schema.pemba --\npemba 1\ntype user\n-- errors.txt --\nschema.pemba:2:1 unknown_type\n",
			"has no errors"},
		"another error": {"-- schema.pemba --\npemba 1\ntype g { relation m: [usr] }\n-- errors.txt --\nschema.pemba:2:1 unknown_type\n",
			"schema.pemba:2:23 unknown_type"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenario.Parse("x.txtar", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Check(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"testdata/failing.txtar", "../testdata/scenarios/sealed.txtar", "../testdata/scenarios/schema-errors.txtar"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := scenario.Parse("x.txtar", text)
		if err != nil {
			return
		}
		m, err := s.Check()
		if err != nil || m == nil {
			return
		}
		report, err := scenario.Run(t.Context(), m, scenario.Options{Now: now, Limits: engine.Limits{Nodes: 10_000}})
		if err != nil {
			t.Fatal(err)
		}
		if err := report.WriteJUnit(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}

func Example() {
	m, err := schema.Compile([]source.File{{Name: "schema.pemba", Text: `pemba 1

type user

type document {
  relation viewer: [user]
  relation editor: [user]

  permission view = viewer or editor
}

test "viewers view" {
  given document:plan#viewer@user:ana

  only user:ana to view on document:plan
}
`}}, schema.NewNumbering())
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := scenario.Run(context.Background(), m, scenario.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = report.WriteText(os.Stdout)
	// Output:
	// ok    viewers view (2 checks)
	// 2 checks in 1 test: 2 passed, 0 failed
	// 2 of 4 branches exercised
	//       schema.pemba:7:20: document#editor: [user] (never held)
	//       schema.pemba:9:31: document#view: editor (never held)
}
