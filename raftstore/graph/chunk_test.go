package graph_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestChunks reads lists in chunks of every size: each item comes once.
func TestChunks(t *testing.T) {
	for _, size := range []struct{ users, groups int }{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 3}, {30, 9}, {700, 1}, {1, 700}, {1500, 600}} {
		x := graph.New()
		var changes []graph.Change
		for i := range size.users {
			changes = append(changes, add(viewer("hub", fmt.Sprint("user-", i))))
		}
		for i := range size.groups {
			group := viewer("hub", fmt.Sprint("group-", i))
			group.SubjectType, group.SubjectRelation = 2, 20
			changes = append(changes, add(group))
		}
		apply(t, x, 1, append(changes, add(viewer("other", "star")))...)
		star := viewer("other", "*")
		apply(t, x, 2, add(star))
		v := open(t, x, 2)
		hub, _ := v.Node(1, "hub")
		other, _ := v.Node(1, "other")
		for _, chunk := range []int{1, 2, 3, 31, 32, 33, 64, 10_000} {
			if got := read(t, chunk, func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
				return v.Subjects(hub, 10, from, into)
			}); got != size.users+size.groups {
				t.Errorf("%v in chunks of %d: %d subjects", size, chunk, got)
			}
			if got := read(t, chunk, func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
				return v.Usersets(hub, 10, from, into)
			}); got != size.groups {
				t.Errorf("%v in chunks of %d: %d usersets", size, chunk, got)
			}
		}
		n, _ := v.Node(star.SubjectType, "*")
		if kind, isStar, err := v.Type(n); kind != star.SubjectType || !isStar || err != nil {
			t.Errorf("Type of the wildcard: %v, %v, %v", kind, isStar, err)
		}
		if kind, isStar, err := v.Type(other); kind != 1 || isStar || err != nil {
			t.Errorf("Type of an object: %v, %v, %v", kind, isStar, err)
		}
	}
}

// read counts a list that is read in chunks of a size.
func read(t *testing.T, size int, list func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)) int {
	t.Helper()
	seen, into := map[tuple.Ref]bool{}, make([]tuple.Edge, size)
	for from := tuple.Cursor(0); ; {
		n, next, err := list(from, into)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range into[:n] {
			if seen[e.Ref] {
				t.Errorf("%v comes twice in chunks of %d", e.Ref, size)
			}
			seen[e.Ref] = true
		}
		if next == 0 {
			return len(seen)
		}
		from = next
	}
}
