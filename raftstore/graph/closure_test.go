package graph_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// end is a subject by name.
type end struct {
	typ      tuple.TypeID
	id       string
	relation tuple.RelationID
}

// compareClosures holds Closure to a walk over the model, from some subjects, other
// ones each time, by every relation. Where a tuple on the way has a condition or expires, it must
// decline; where it declines otherwise is its own affair.
func compareClosures(v *graph.View, want model) error {
	upward := map[end][]key{}
	for k := range want {
		at := end{k.subjectType, k.subject, k.subjectRelation}
		upward[at] = append(upward[at], k)
	}
	left := 8
	for from := range upward {
		if left--; left < 0 {
			break
		}
		n, err := v.Node(from.typ, from.id)
		if err != nil {
			return err
		}
		for _, relation := range []tuple.RelationID{10, 11, 20} {
			into := make([]tuple.Node, 64)
			count, ok, err := v.Closure(tuple.Ref{Node: n, Relation: from.relation}, relation, into)
			if err != nil {
				return err
			}
			plain, objects := closureOf(want, upward, from, relation)
			if ok && !plain {
				return fmt.Errorf("revision %d: Closure of %v by %d passes over a condition or an expiry", v.Revision(), from, relation)
			}
			if !ok {
				continue
			}
			got := map[string]bool{}
			for _, o := range into[:count] {
				t, id, err := v.Object(o)
				if err != nil || got[fmt.Sprint(t, id)] {
					return fmt.Errorf("revision %d: Closure of %v by %d has node %d, %v", v.Revision(), from, relation, o, err)
				}
				got[fmt.Sprint(t, id)] = true
			}
			if !maps.Equal(got, objects) {
				return fmt.Errorf("revision %d: Closure of %v by %d is %v, want %v", v.Revision(), from, relation, got, objects)
			}
		}
	}
	return nil
}

func closureOf(m model, upward map[end][]key, from end, relation tuple.RelationID) (plain bool, objects map[string]bool) {
	plain, objects = true, map[string]bool{}
	for work := []end{from}; len(work) > 0; work = work[1:] {
		for _, k := range upward[work[0]] {
			if k.relation != relation {
				continue
			}
			if a := m[k]; a.condition != 0 || a.expires != 0 {
				plain = false
			}
			if name := fmt.Sprint(k.objectType, k.object); !objects[name] {
				objects[name] = true
				work = append(work, end{k.objectType, k.object, relation})
			}
		}
	}
	return plain, objects
}

// Nested groups are followed whole, in blocks, in groups of a long list and right
// after a write; where one has a condition, or they are too many, none is told.
func TestClosure(t *testing.T) {
	const user, group, document, member, viewer = 3, 2, 1, 20, 10
	var changes []graph.Change
	put := func(object, subject string, alter ...func(*graph.Tuple)) {
		o, s := strings.Split(object, ":"), strings.Split(subject, ":")
		types := map[string]tuple.TypeID{"user": user, "group": group, "document": document}
		one := graph.Tuple{ObjectType: types[o[0]], ObjectID: o[1], Relation: member, SubjectType: types[s[0]], SubjectID: s[1]}
		if s[0] == "group" {
			one.SubjectRelation = member
		}
		if o[0] == "document" {
			one.Relation = viewer
		}
		for _, f := range alter {
			f(&one)
		}
		changes = append(changes, graph.Change{Tuple: one})
	}
	put("group:a", "user:ana")
	put("group:b", "group:a")
	put("group:c", "group:b")
	put("group:a", "group:c") // a circle
	put("group:busy", "group:b")
	put("group:top", "group:busy")
	for i := range 200 { // a long list, in groups
		put(fmt.Sprint("document:", i), "group:busy")
	}
	put("group:guarded", "user:bob", func(t *graph.Tuple) { t.Condition = 7 })
	put("group:brief", "user:eve", func(t *graph.Tuple) { t.Expires = 9 })
	for i := range 65 {
		put(fmt.Sprint("group:many", i), "user:max")
	}
	x := graph.New()
	if err := x.Apply(1, changes); err != nil {
		t.Fatal(err)
	}
	v, err := x.View(1)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	into := make([]tuple.Node, 64)
	for name, want := range map[string][]string{"ana": {"a", "b", "busy", "c", "top"}, "bob": nil, "eve": nil, "max": nil} {
		n, _ := v.Node(user, name)
		count, ok, err := v.Closure(tuple.Ref{Node: n}, member, into)
		if err != nil || ok != (want != nil) {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		var got []string
		for _, g := range into[:count] {
			_, id, _ := v.Object(g)
			got = append(got, id)
		}
		if slices.Sort(got); ok && !slices.Equal(got, want) {
			t.Errorf("%s is in %v, want %v", name, got, want)
		}
	}
}
