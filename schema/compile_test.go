package schema_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/internal/golden"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func compile(t *testing.T, text string) *schema.Module {
	t.Helper()
	m, err := schema.Compile([]source.File{{Name: "test.pemba", Text: text}}, schema.NewNumbering())
	if err != nil {
		t.Fatal(rendered(err))
	}
	return m
}

func refused(t *testing.T, text string) map[string]bool {
	t.Helper()
	_, err := schema.Compile([]source.File{{Name: "test.pemba", Text: text}}, schema.NewNumbering())
	if err == nil {
		t.Fatal("it compiles")
	}
	return codes(err)
}

func rendered(err error) string {
	var ds source.Diagnostics
	if !errors.As(err, &ds) {
		return err.Error()
	}
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(d.Render())
	}
	return b.String()
}

func TestDiagnostics(t *testing.T) {
	names, _ := filepath.Glob("testdata/errors/*.pemba")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			files, err := schema.LoadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, err = schema.Compile(files, schema.NewNumbering())
			if err == nil {
				t.Fatal("it compiles")
			}
			golden.Compare(t, strings.TrimSuffix(name, ".pemba")+".golden", rendered(err))
		})
	}
}

func TestCompileTheExampleOfTheLanguage(t *testing.T) {
	files, err := schema.LoadFile("ast/testdata/format/ptolemy.pemba")
	if err != nil {
		t.Fatal(err)
	}
	m, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		t.Fatal(rendered(err))
	}
	s := m.Schema
	if got := s.Type("system"); got.Singleton != "ptolemy" || got.Doc != "This installation." {
		t.Errorf("system: %q, %q", got.Singleton, got.Doc)
	}
	if got := s.Type("system").Relation("sysadmin").AtMost; got != 1 {
		t.Errorf("sysadmin: at most %d", got)
	}
	write := s.Type("workspace").Relation("write_key")
	if want := "Read-write keys hold both."; write.Doc != want {
		t.Errorf("doc %q, want %q", write.Doc, want)
	}
	if want := []schema.Shape{{Type: s.Type("service_key").ID, Expiry: schema.ExpiryOptional}}; !reflect.DeepEqual(write.Shapes, want) {
		t.Errorf("shapes %+v, want %+v", write.Shapes, want)
	}
	staff := s.Type("workspace").Relation("staff").Rewrite
	if staff.Kind != schema.Exclusion || staff.Operands[0].Kind != schema.Union || len(staff.Operands[0].Operands) != 3 {
		t.Errorf("staff: %s", s.Text(s.Type("workspace").Relation("staff"), staff))
	}
	fixed := staff.Operands[1]
	if fixed.Kind != schema.Fixed || fixed.Object.ID != "ptolemy" || fixed.Relation != s.Type("system").Relation("sysadmin").ID {
		t.Errorf("staff is except %+v", fixed)
	}
	view := s.Type("service_key").Relation("view").Rewrite
	if view.Kind != schema.Arrow || view.Target(s.Type("workspace").ID) != s.Type("workspace").Relation("list_keys").ID {
		t.Errorf("service_key#view: %+v", view)
	}
	acts := s.Type("user_key").Acts
	if len(acts) != 1 || acts[0].Owner != s.Type("user_key").Relation("owner").ID || len(acts[0].Permissions) != 3 {
		t.Errorf("acts: %+v", acts)
	}
	if got, want := s.Type("workspace").ID, tuple.TypeID(3); got != want {
		t.Errorf("workspace has the number %d, want %d", got, want)
	}
	if len(m.Tests) != 2 || len(m.Tests[0].Given) != 4 || len(m.Tests[1].Assertions) != 3 || len(m.Claims) != 4 {
		t.Errorf("%d tests, %d claims", len(m.Tests), len(m.Claims))
	}
	for n := range s.Branches() {
		r, e := s.Branch(n)
		if r == nil || e.Branch != n || e.Place.Line == 0 {
			t.Fatalf("branch %d: %v %+v", n, r, e)
		}
	}
	if r, _ := s.Branch(s.Branches()); r != nil {
		t.Error("there is a branch behind the last")
	}
}

// constructs has what the example lacks.
const constructs = `pemba 1 refuse self_tuples

condition from_office(ip: ipaddress, cidr: string) { ip.in_cidr(cidr) }
condition before(limit: timestamp) {
  now() < limit
}

sealed group:everyone#member = user:*, group:admins#member
type user
singleton tenant:main { relation user: [user] }
type group { relation member: [user | user:* | group#member] }
type folder {
  relation parent: [folder]
  relation view: [user] or parent->same or tenant:main#user
}
type dashboard {
  relation creator: [user] at most 1
  relation folder:  [folder | folder#parent]
  relation edit:    [user | group#member with from_office] or creator or group:admins#member
  relation view:    [user | user:* | group#member with from_office and expiry] or edit or folder->same
  relation a, b: [user] or folder:root#view deprecated "use view"
  permission export = (every folder->view) except (a and b)
  permission me = self or nobody or ((a or b) and view)
}
extend type dashboard {
  relation late: [user with before and expiry?]
  acts for creator on folder { view, parent }
}
always dashboard#edit holds dashboard#view
test "t" {
  given dashboard:x#edit@group:g#member with from_office {"cidr": "10.0.0.0/8"}
  given dashboard:x#view@group:g#member with from_office until 2030-01-01T00:00:00Z
  conditional group:g#member to view, edit on dashboard:x with {"cidr":"::/0"} at 2029-01-01T00:00:00Z missing ip
  only user:ana to export on dashboard:x
}
`

// portrait writes down all that a module means, without places.
func portrait(t *testing.T, m *schema.Module) string {
	t.Helper()
	var b strings.Builder
	admission, err := json.MarshalIndent(m.Admission, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(admission)
	for _, typ := range m.Schema.Types {
		for _, r := range typ.Relations {
			b.WriteString("\n" + typ.Name + "#" + r.Name + " " + m.Schema.Text(r, r.Rewrite) + " " + r.Doc + " " + r.Deprecated)
			for _, id := range slices.Sorted(mapsKeys(r.Sealed)) {
				b.WriteString(" " + id + "=" + m.Schema.SealedText(r.Sealed[id]))
			}
		}
		for _, a := range typ.Acts {
			b.WriteString("\n" + typ.Name + " acts for " + m.Schema.Relation(a.Owner).Name)
		}
	}
	for _, c := range m.Claims {
		b.WriteString("\nclaim " + m.Schema.Relation(c.Left).Name + m.Schema.Relation(c.Right).Name)
	}
	for _, test := range m.Tests {
		b.WriteString("\ntest " + test.Name)
		for _, g := range test.Given {
			b.WriteString("\n" + g.Tuple.String())
		}
		for _, a := range test.Assertions {
			a := *a
			a.Place = source.Place{}
			text, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("\n" + string(text))
		}
	}
	return b.String()
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func TestFormattingKeepsTheMeaning(t *testing.T) {
	ptolemy, err := os.ReadFile("ast/testdata/format/ptolemy.pemba")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"constructs": constructs, "ptolemy": string(ptolemy)} {
		t.Run(name, func(t *testing.T) {
			printed, err := ast.FormatText("test.pemba", text)
			if err != nil {
				t.Fatal(rendered(err))
			}
			before, after := portrait(t, compile(t, text)), portrait(t, compile(t, printed))
			if before != after {
				t.Errorf("formatting changed the meaning\n--- before\n%s\n--- after\n%s", before, after)
			}
		})
	}
}

func TestArrows(t *testing.T) {
	s := compile(t, constructs).Schema
	dashboard, folder := s.Type("dashboard"), s.Type("folder")
	t.Run("a userset leads to its object", func(t *testing.T) {
		arrow := dashboard.Relation("view").Rewrite.Operands[2]
		want := []schema.Target{{Type: folder.ID, Relation: folder.Relation("view").ID}}
		if !reflect.DeepEqual(arrow.Targets, want) {
			t.Errorf("targets %v, want %v", arrow.Targets, want)
		}
	})
	t.Run("a type without the name is skipped", func(t *testing.T) {
		s := compile(t, "pemba 1\ntype user\ntype a { relation x: [user] }\ntype b { relation r: [user | a] permission p = r->x }").Schema
		if got := s.Type("b").Relation("p").Rewrite.Targets; len(got) != 1 || got[0].Type != s.Type("a").ID {
			t.Errorf("targets %v", got)
		}
	})
	t.Run("every skips none", func(t *testing.T) {
		got := refused(t, "pemba 1\ntype user\ntype a { relation x: [user] }\ntype b { relation r: [user | a] permission p = every r->x }")
		if !got["every_missing"] {
			t.Errorf("got %v", got)
		}
	})
	t.Run("beside a rewrite it may not walk", func(t *testing.T) {
		got := refused(t, "pemba 1\ntype user\ntype a { relation x: [a] relation r: [a] or x permission p = r->x }")
		if !got["arrow_not_walkable"] {
			t.Errorf("got %v", got)
		}
	})
}

func TestNamesAskForNumbersInTheOrderOfTheSource(t *testing.T) {
	asked := &recorder{Numbering: schema.NewNumbering()}
	if _, err := schema.Compile([]source.File{{Name: "test.pemba", Text: constructs}}, asked); err != nil {
		t.Fatal(rendered(err))
	}
	want := "user tenant tenant#user group group#member folder folder#parent folder#view dashboard dashboard#creator dashboard#folder " +
		"dashboard#edit dashboard#view dashboard#a dashboard#b dashboard#export dashboard#me dashboard#late from_office before"
	if got := strings.Join(asked.names, " "); got != want {
		t.Errorf("asked for\n%s, want\n%s", got, want)
	}
}

func TestAFaultySchemaAsksForNoNumbers(t *testing.T) {
	asked := &recorder{Numbering: schema.NewNumbering()}
	for _, fault := range []string{"type user", "type a { relation x: [b] }", "type a { relation x: [user] permission y = x->z }",
		"always user#a holds user#b", "type a { relation x, y: [user] } never a#x holds a#y"} {
		if _, err := schema.Compile([]source.File{{Name: "test.pemba", Text: "pemba 1\ntype user\n" + fault}}, asked); err == nil {
			t.Fatal("it compiles")
		}
		if len(asked.names) > 0 {
			t.Errorf("%s: asked for %v", fault, asked.names)
		}
	}
}

type recorder struct {
	schema.Numbering
	names []string
}

func (r *recorder) TypeID(name string) tuple.TypeID {
	r.names = append(r.names, name)
	return r.Numbering.TypeID(name)
}

func (r *recorder) RelationID(typeName, name string) tuple.RelationID {
	r.names = append(r.names, typeName+"#"+name)
	return r.Numbering.RelationID(typeName, name)
}

func (r *recorder) ConditionID(name string) tuple.ConditionID {
	r.names = append(r.names, name)
	return r.Numbering.ConditionID(name)
}

func TestRecursion(t *testing.T) {
	cases := map[string]struct{ body, err, warning string }{
		"through an arrow":            {"relation parent: [a] permission p = parent->p", "", ""},
		"out of a cycle":              {"relation x: [user] permission p = q or x permission q = p", "", ""},
		"into nothing":                {"permission p = q permission q = p", "empty_cycle", ""},
		"of a direct relation":        {"relation x: [user] or y relation y: [user] or x", "", ""},
		"and with what never holds":   {"relation x: [user] permission p = x and q permission q = p", "empty_cycle", ""},
		"through exclusion":           {"relation x: [user] permission p = x except q permission q = p", "", "recursion_through_except"},
		"through exclusion and arrow": {"relation parent: [a] relation x: [user] permission p = x except parent->p", "", "recursion_through_except"},
		"left of exclusion":           {"relation parent: [a] relation x: [user] permission p = parent->p except x", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := schema.Compile([]source.File{{Name: "test.pemba", Text: "pemba 1\ntype user\ntype a { " + c.body + " }"}}, schema.NewNumbering())
			if got := codes(err); c.err == "" && err != nil || c.err != "" && !got[c.err] {
				t.Fatalf("got %v, want %q", got, c.err)
			}
			if err != nil {
				return
			}
			if got := codes(m.Warnings)["recursion_through_except"]; got != (c.warning != "") {
				t.Errorf("warned: %v, want %q", got, c.warning)
			}
		})
	}
}

func TestNoFileIsAnError(t *testing.T) {
	if _, err := schema.Compile(nil, schema.NewNumbering()); !codes(err)["no_file"] {
		t.Errorf("got %v", err)
	}
}
