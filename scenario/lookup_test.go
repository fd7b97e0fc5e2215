package scenario_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestLookupsAreAllChecks holds the lookups to the checks in every world of the
// scenarios: for each question an assertion asks, at its instant and with its
// context, the lookups of subjects, objects and permissions say what a check of
// each candidate says, whole and in pages.
func TestLookupsAreAllChecks(t *testing.T) {
	scenarios, err := scenario.Load(os.DirFS("../testdata/scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			m, err := s.Check()
			if err != nil {
				t.Fatal(err)
			}
			if m == nil {
				t.Skip("the scenario has no schema")
			}
			for _, test := range m.Tests {
				t.Run(test.Name, func(t *testing.T) {
					var tuples []tuple.Tuple
					for _, given := range test.Given {
						tuples = append(tuples, given.Tuple)
					}
					reader, err := memory.New(m.Schema, tuples)
					if err != nil {
						t.Fatal(err)
					}
					for _, a := range test.Assertions {
						at := a.At
						if at.IsZero() {
							at = now
						}
						given, err := condition.NewRequest([]byte(a.Context), at)
						if err != nil {
							t.Fatal(err)
						}
						w := world{t, m, engine.View{Schema: m.Schema, Admission: m.Admission.Index(), Reader: reader, Now: at, Context: given}, tuples}
						w.assertion(a)
					}
				})
			}
		})
	}
}

type world struct {
	t      *testing.T
	module *schema.Module
	view   engine.View
	tuples []tuple.Tuple
}

func (w world) assertion(a *schema.Assertion) {
	for _, object := range a.Objects {
		for _, name := range a.Names {
			kinds := map[[2]string]bool{}
			for _, s := range a.Subjects {
				if !kinds[[2]string{s.Type, s.Relation}] {
					kinds[[2]string{s.Type, s.Relation}] = true
					w.subjects(object, name, s.Type, s.Relation)
				}
			}
			for _, s := range a.Subjects[:min(len(a.Subjects), 3)] {
				w.objects(object.Type, name, s)
				w.permissions(object, s)
			}
		}
	}
}

// answer asks one check and gives the outcome with what is missing as text.
func (w world) answer(o tuple.Object, name string, s tuple.Subject) string {
	w.t.Helper()
	got, err := engine.Check(w.t.Context(), w.view, engine.Question{Object: o, Permission: name, Subject: s})
	if err != nil {
		return "error"
	}
	return text(got)
}

func text(a engine.Answer) string {
	return fmt.Sprint([]string{"denied", "conditional", "allowed"}[a.Outcome], a.Missing)
}

func (w world) ids(typ string) []string {
	ids := map[string]bool{}
	for _, t := range w.tuples {
		if t.Object.Type == typ {
			ids[t.Object.ID] = true
		}
		if t.Subject.Type == typ && !t.Subject.IsWildcard() {
			ids[t.Subject.ID] = true
		}
	}
	if only := w.module.Schema.Type(typ).Singleton; only != "" {
		ids = map[string]bool{only: true}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (w world) subjects(o tuple.Object, name, typ, relation string) {
	found, err := w.lookupSubjects(o, name, typ, relation)
	ids := w.ids(typ)
	if relation == "" && w.module.Schema.Type(typ).Singleton == "" {
		ids = append(ids, "a-stranger")
	}
	everybody, hasWildcard := found[tuple.Wildcard]
	failing := 0
	for _, id := range ids {
		s := tuple.Subject{Type: typ, ID: id, Relation: relation}
		want := w.answer(o, name, s)
		if want == "error" {
			failing++
		}
		if err != nil {
			continue
		}
		got, named := found[id]
		if !named && hasWildcard {
			got = everybody
		} else if !named {
			got = "denied[]"
		}
		if got != want {
			w.t.Errorf("subjects of %s#%s: the lookup says %s is %s (by name: %t), the check %s", o, name, s, got, named, want)
		}
	}
	if err != nil && failing == 0 {
		w.t.Errorf("subjects of %s#%s: %v, and no check is an error", o, name, err)
	}
}

// lookupSubjects pages through a lookup, two by two, and holds it to its order.
func (w world) lookupSubjects(o tuple.Object, name, typ, relation string) (map[string]string, error) {
	found := map[string]string{}
	after, last := "", ""
	for {
		page, err := engine.LookupSubjects(w.t.Context(), w.view,
			engine.SubjectsQuestion{Object: o, Permission: name, Type: typ, Relation: relation}, engine.Page{Limit: 2, After: after})
		if err != nil {
			return nil, err
		}
		for _, f := range page.Found {
			if f.Subject.ID <= last {
				w.t.Errorf("subjects of %s#%s: %s comes behind %s", o, name, f.Subject, last)
			}
			last = f.Subject.ID
			found[last] = text(f.Answer)
		}
		if after = page.Next; after == "" {
			return found, nil
		}
	}
}

func (w world) objects(typ, name string, s tuple.Subject) {
	page, err := engine.LookupObjects(w.t.Context(), w.view, engine.ObjectsQuestion{Type: typ, Permission: name, Subject: s}, engine.Page{})
	found := map[string]string{}
	for _, f := range page.Found {
		found[f.Object.ID] = text(f.Answer)
	}
	for _, id := range w.ids(typ) {
		want := w.answer(tuple.Object{Type: typ, ID: id}, name, s)
		if err != nil {
			if want == "error" {
				return
			}
			continue
		}
		got, named := found[id]
		if !named {
			got = "denied[]"
		}
		if got != want {
			w.t.Errorf("objects of %s with %s for %s: the lookup says %s is %s, the check %s", typ, name, s, id, got, want)
		}
	}
	if err != nil {
		w.t.Errorf("objects of %s with %s for %s: %v, and no check is an error", typ, name, s, err)
	}
}

func (w world) permissions(o tuple.Object, s tuple.Subject) {
	found, err := engine.LookupPermissions(w.t.Context(), w.view, o, s)
	if err != nil {
		return // an error on any of them is the lookup's
	}
	for _, f := range found {
		if want := w.answer(o, f.Name, s); text(f.Answer) != want {
			w.t.Errorf("permissions of %s on %s: %s is %s, the check says %s", s, o, f.Name, text(f.Answer), want)
		}
	}
}
