package pembatest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// filter draws a filter, and says by itself which tuples it selects.
func (d draw) filter() (api.Filter, func(tuple.Key) bool) {
	var f api.Filter
	if d.chance(60) {
		f.ObjectType = choose(d, holders)
	}
	if d.chance(30) {
		f.ObjectType, f.Object = "", choose(d, holders)+":"+d.id()
	}
	if d.chance(30) {
		f.Relation = choose(d, names[:3])
	}
	if d.chance(40) {
		f.SubjectType = choose(d, kinds)
	}
	if d.chance(30) {
		f.SubjectRelation = choose(d, append([]string{"-", "-"}, names...))
	}
	if f.SubjectType == "user" && f.SubjectRelation != "" {
		f.SubjectRelation = "-" // users have no relations, and a filter may not say so
	}
	if d.chance(30) {
		f.SubjectID = choose(d, []string{d.id(), d.id(), tuple.Wildcard})
	}
	return f, func(k tuple.Key) bool {
		relation := k.Subject.Relation
		if relation == "" {
			relation = "-"
		}
		is := func(want, got string) bool { return want == "" || want == got }
		return is(f.Object, k.Object.String()) && is(f.ObjectType, k.Object.Type) && is(f.Relation, k.Relation) && is(f.SubjectType, k.Subject.Type) &&
			is(f.SubjectID, k.Subject.ID) && is(f.SubjectRelation, relation)
	}
}

// reads asks for the tuples of a filter, as a stream and in small pages: those that
// have not expired, each once.
func (w *differential) reads(a asking) {
	request := api.ReadRequest{}
	var selects func(tuple.Key) bool
	request.Filter, selects = w.filter()
	request.Consistency = a.consistency
	a.at = w.instant(asking{moment: a.moment, consistency: a.consistency})
	limit := 1 + w.IntN(4)
	ctx := w.t.Context()
	line := func(t api.Tuple) string {
		parsed, faults := t.Tuple()
		if len(faults) > 0 {
			w.t.Errorf("seed %d: read %+v: %v", w.seed, t, faults)
		}
		return parsed.String()
	}
	stream := entries(w.store.Tuples(ctx, request), line)
	paged := pages(func(cursor string) ([]api.Tuple, string, api.Evaluated, error) {
		request.Limit, request.Cursor = limit, cursor
		p, err := w.store.ReadTuples(ctx, request)
		return p.Tuples, p.Cursor, p.Evaluated, err
	}, line)
	sorted := func(read func() ([]string, error)) func() ([]string, error) {
		return func() ([]string, error) {
			list, err := read()
			slices.Sort(list)
			return list, err
		}
	}
	w.list(a, fmt.Sprintf("tuples %+v", request.Filter), sorted(func() (list []string, err error) {
		for _, t := range a.tuples {
			if selects(t.Key) && (t.Expires.IsZero() || t.Expires.After(a.at)) {
				list = append(list, t.String())
			}
		}
		return list, nil
	}), sorted(stream), sorted(paged))
	inStream, _ := stream()
	inPages, _ := paged()
	w.compare(a, "the order of pages", strings.Join(inPages, "; "), strings.Join(inStream, "; "))
}

// deleteSome deletes what a filter selects.
func (w *differential) deleteSome() {
	filter, selects := w.filter()
	deleted, err := w.store.DeleteTuples(w.t.Context(), api.DeleteRequest{Filter: filter, All: filter == api.Filter{}})
	if err != nil {
		w.t.Fatalf("seed %d: deleting %+v: %v", w.seed, filter, err)
	}
	maps.DeleteFunc(w.tuples, func(k tuple.Key, _ tuple.Tuple) bool { return selects(k) })
	w.remember(deleted.Token)
}
