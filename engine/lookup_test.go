package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// said is what the reference says of a question.
func (r *reference) said(o tuple.Object, name string, s tuple.Subject) string {
	return r.lower[tuple.Key{Object: o, Relation: name, Subject: s}].String()
}

// universe is what a lookup of objects ranges over.
func (w *world) universe(t string, s tuple.Subject) map[tuple.Object]bool {
	all := map[tuple.Object]bool{s.Object(): true}
	for _, x := range slices.Concat(w.stored, w.contextual) {
		all[x.Object], all[x.Subject.Object()] = true, true
	}
	for _, r := range w.schema.Type(t).Relations {
		for id := range r.Sealed {
			all[tuple.Object{Type: t, ID: id}] = true
		}
	}
	return all
}

// compareLookups holds the lookups to what checks of everything would say.
func compareLookups(t *testing.T, seed uint64, w *world, r *reference) int {
	v := w.view()
	asked := 0
	for range 12 {
		typ := pick(w, w.kinds[1:])
		name := pick(w, w.names[typ])
		if s := pick(w, w.subjects); s.ID != unnamed {
			asked += compareObjects(t, seed, w, r, v, engine.ObjectsQuestion{Type: typ, Permission: name, Subject: s})
		}
		o := pick(w, w.objects)
		if o.Type == "user" {
			continue
		}
		q := engine.SubjectsQuestion{Object: o, Permission: pick(w, w.names[o.Type]), Type: pick(w, w.kinds)}
		if q.Type != "user" && w.chance(40) {
			q.Relation = pick(w, w.names[q.Type])
		}
		asked += compareSubjects(t, seed, w, r, v, q)
	}
	return asked
}

func compareObjects(t *testing.T, seed uint64, w *world, r *reference, v engine.View, q engine.ObjectsQuestion) int {
	t.Helper()
	var want []string
	failing := false
	universe := w.universe(q.Type, q.Subject)
	for _, o := range w.objects {
		if o.Type != q.Type || !universe[o] {
			continue
		}
		said := r.said(o, q.Permission, q.Subject)
		failing = failing || said == "error"
		if said != "denied" {
			want = append(want, o.ID+" "+said)
		}
	}
	got, err := engine.LookupObjects(t.Context(), v, q, engine.Page{})
	compareFound(t, fmt.Sprintf("seed %d: objects %+v", seed, q), w, failing, err, objectTexts(got.Found), want)
	if err != nil || t.Failed() {
		return len(w.objects)
	}
	var paged []engine.FoundObject
	for page := (engine.Page{Limit: 1 + w.rnd.IntN(2)}); ; {
		p, err := engine.LookupObjects(t.Context(), v, q, page)
		if err != nil {
			t.Errorf("seed %d: a page of %+v: %v", seed, q, err)
			break
		}
		paged = append(paged, p.Found...)
		if p.Next == "" {
			break
		}
		page.After = p.Next
	}
	compareFound(t, fmt.Sprintf("seed %d: pages of objects %+v", seed, q), w, false, nil, objectTexts(paged), want)
	return len(w.objects)
}

func objectTexts(found []engine.FoundObject) (texts []string) {
	for _, f := range found {
		texts = append(texts, f.Object.ID+" "+text(f.Answer, nil))
	}
	return texts
}

func subjectTexts(found []engine.FoundSubject) (texts []string) {
	for _, f := range found {
		texts = append(texts, f.Subject.ID+" "+text(f.Answer, nil))
	}
	return texts
}

func compareFound(t *testing.T, what string, w *world, failing bool, err error, got, want []string) {
	t.Helper()
	switch {
	case failing != (err != nil):
		t.Errorf("%s: got error %v, want one: %v\n%s", what, err, failing, w)
	case err == nil && !slices.Equal(got, want):
		t.Errorf("%s: got %q, want %q\n%s", what, got, want, w)
	}
}

func compareSubjects(t *testing.T, seed uint64, w *world, r *reference, v engine.View, q engine.SubjectsQuestion) int {
	t.Helper()
	what := fmt.Sprintf("seed %d: subjects %+v", seed, q)
	others := "denied"
	if q.Relation == "" {
		others = r.said(q.Object, q.Permission, tuple.Subject{Type: q.Type, ID: unnamed})
	}
	said := map[string]string{}
	failing := others == "error"
	for _, o := range w.objects {
		if o.Type == q.Type {
			said[o.ID] = r.said(q.Object, q.Permission, tuple.Subject{Type: q.Type, ID: o.ID, Relation: q.Relation})
			failing = failing || said[o.ID] == "error"
		}
	}
	page, err := engine.LookupSubjects(t.Context(), v, q, engine.Page{})
	if failing != (err != nil) {
		t.Errorf("%s: got error %v, want one: %v\n%s", what, err, failing, w)
	}
	if err != nil || failing {
		return len(said)
	}
	texts := subjectTexts(page.Found)
	if !slices.IsSorted(texts) {
		t.Errorf("%s: not in order: %q", what, texts)
	}
	got := map[string]string{}
	for _, line := range texts {
		id, answer, _ := strings.Cut(line, " ")
		if got[id] != "" {
			t.Errorf("%s: %s is there twice", what, id)
		}
		got[id] = answer
	}
	if star := got[tuple.Wildcard]; (others == "denied") != (star == "") || star != "" && star != others {
		t.Errorf("%s: the wildcard's entry is %q, everybody else is %s\n%s", what, star, others, w)
	}
	for id, want := range said {
		entry := got[id]
		if entry == "" {
			entry = others
		} else if others == "denied" && entry == "denied" {
			t.Errorf("%s: %s is excluded from nothing", what, id)
		}
		if entry != want {
			t.Errorf("%s: %s is %q, want %q; all: %q\n%s", what, id, entry, want, got, w)
		}
	}
	var paged []engine.FoundSubject
	for p := (engine.Page{Limit: 1}); ; {
		next, err := engine.LookupSubjects(t.Context(), v, q, p)
		if err != nil {
			t.Errorf("%s: a page: %v", what, err)
			break
		}
		paged = append(paged, next.Found...)
		if p.After = next.Next; p.After == "" {
			break
		}
	}
	compareFound(t, what+" in pages", w, false, nil, subjectTexts(paged), texts)
	return len(said)
}
