package memory_test

import (
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

var _ engine.Reader = (*memory.Reader)(nil)

func groups() *schema.Schema {
	user := &schema.Type{ID: 1, Name: "user"}
	group := &schema.Type{ID: 2, Name: "group"}
	group.Relations = []*schema.Relation{{ID: 7, Name: "member", Rewrite: &schema.Expr{Kind: schema.Direct}}}
	return schema.New(1, []*schema.Type{user, group}, nil)
}

func parse(t *testing.T, texts ...string) []tuple.Tuple {
	t.Helper()
	var list []tuple.Tuple
	for _, text := range texts {
		x, err := tuple.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

func TestReaderKeepsBothDirections(t *testing.T) {
	var texts []string
	for _, id := range strings.Fields("a b c d e f g h i j k") { // more than are looked through one by one
		texts = append(texts, "group:all#member@user:"+id)
	}
	texts = append(texts, "group:all#member@group:sub#member", "group:all#member@user:*",
		"group:all#member@user:a until 2030-01-01T00:00:00Z", "group:all#member@user:k until 2030-01-01T00:00:00Z")
	r, err := memory.New(groups(), parse(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	all, _ := r.Node(2, "all")
	for _, id := range []string{"a", "k"} {
		n, _ := r.Node(1, id)
		e, ok, _ := r.Edge(all, 7, tuple.Ref{Node: n})
		if !ok || e.Expires == 0 {
			t.Errorf("user:%s: got %+v, %v, want the later of two tuples", id, e, ok)
		}
		back := 0
		for e := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
			return r.Objects(tuple.Ref{Node: n}, 0, from, into)
		}) {
			back++
			if e.Ref != (tuple.Ref{Node: all, Relation: 7}) || e.Expires == 0 {
				t.Errorf("user:%s is in %+v", id, e)
			}
		}
		if back != 1 {
			t.Errorf("user:%s is in %d, want 1", id, back)
		}
	}
	count := func(list func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error)) (sum int) {
		into := make([]tuple.Edge, 5)
		for from := tuple.Cursor(0); ; {
			n, next, _ := list(from, into)
			if sum += n; next == 0 {
				return sum
			}
			from = next
		}
	}
	if got := count(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return r.Subjects(all, 7, from, into)
	}); got != 13 {
		t.Errorf("%d subjects, want 13", got)
	}
	if got := count(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return r.Usersets(all, 7, from, into)
	}); got != 1 {
		t.Errorf("%d usersets, want 1", got)
	}
	named := 0
	for n := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
		return r.Nodes(1, from, into)
	}) {
		if _, id, _ := r.Object(n); id == tuple.Wildcard {
			t.Error("the wildcard is among the objects of its type")
		}
		named++
	}
	if named != 11 {
		t.Errorf("%d users, want 11", named)
	}
	if _, _, err := r.Object(99); err == nil {
		t.Error("a node of another reader has a name")
	}
}

func TestReaderRefusesWhatTheSchemaLacks(t *testing.T) {
	for text, want := range map[string]string{
		"team:a#member@user:b":         `no type "team"`,
		"group:a#owner@user:b":         `no relation "owner"`,
		"group:a#member@robot:b":       `no type "robot"`,
		"group:a#member@group:b#none":  `no relation "none"`,
		"group:a#member@user:b with c": `no condition "c"`,
	} {
		if _, err := memory.New(groups(), parse(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
