package pembatest_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// draw makes random schemas, tuples and questions, all from one seed. Every
// schema has the same types and names, so that one can follow another.
type draw struct{ *rand.Rand }

var (
	kinds    = []string{"user", "group", "doc", "key"}
	holders  = kinds[1:]
	names    = []string{"link", "r0", "r1", "p0", "p1"}
	contexts = []api.Context{nil, api.Context(`{"x":true}`), api.Context(`{"x":false,"y":9}`), api.Context(`{"y":3}`)}
)

const (
	objectIDs  = 3
	conditions = "condition a(x: bool) { x }\ncondition b(y: int) { y > 5 }\ncondition fails(zero: int) { 1 / zero == 1 }\n"
)

func (d draw) chance(percent int) bool { return d.IntN(100) < percent }

func choose[T any](d draw, list []T) T { return list[d.IntN(len(list))] }

// schema draws until the compiler takes it: not all that is drawn makes sense.
func (d draw) schema(t *testing.T) (string, *schema.Module) {
	t.Helper()
	for range 100 {
		text := d.schemaText()
		if m, err := schema.Compile([]source.File{{Name: "main.pemba", Text: text}}, schema.NewNumbering()); err == nil {
			return text, m
		}
	}
	t.Fatal("no schema in a hundred compiles")
	return "", nil
}

func (d draw) schemaText() string {
	var b strings.Builder
	b.WriteString("pemba 1\ntype user\n" + conditions)
	for _, kind := range holders {
		// Arrows walk link: it has no wildcard, and no rewrite beside the bracket.
		linked := []string{choose(d, holders), choose(d, holders) + "#" + choose(d, names)}
		all := d.chance(60) // then every is legal over it
		if !all {
			linked = append(linked, "user")
		}
		fmt.Fprintf(&b, "type %s {\n  relation link: %s\n", kind, d.bracket(linked[d.IntN(2):]))
		for _, n := range names[1:3] {
			expr := d.bracket(d.shapes())
			if d.chance(30) {
				expr += " or " + d.expr(2, all)
			}
			fmt.Fprintf(&b, "  relation %s: %s\n", n, expr)
		}
		for _, n := range names[3:] {
			fmt.Fprintf(&b, "  permission %s = %s\n", n, d.expr(3, all))
		}
		if kind == "key" {
			b.WriteString("  relation owner: [user with expiry?] at most 1\n")
			if d.chance(70) {
				fmt.Fprintf(&b, "  acts for owner on %s { %s }\n", choose(d, holders[:2]), choose(d, []string{"p0", "p1", "r0, p0"}))
			}
		}
		b.WriteString("}\n")
	}
	if d.chance(25) {
		fmt.Fprintf(&b, "sealed %s:%d#r1 = %s:%d\n", choose(d, holders), d.IntN(objectIDs), choose(d, kinds), d.IntN(objectIDs))
	}
	return b.String()
}

func (d draw) shapes() []string {
	list := []string{"user"}
	for range 1 + d.IntN(4) {
		s := choose(d, kinds)
		switch {
		case s != "user" && d.chance(45):
			s += "#" + choose(d, names)
		case d.chance(25):
			s += ":*"
		}
		list = append(list, s)
	}
	return list
}

// bracket adds traits to some of the subjects.
func (d draw) bracket(subjects []string) string {
	seen := map[string]bool{}
	for _, s := range subjects {
		var traits []string
		if d.chance(30) {
			traits = append(traits, choose(d, []string{"a", "a", "b", "b", "fails"}))
		}
		if d.chance(25) {
			traits = append(traits, choose(d, []string{"expiry", "expiry?"}))
		}
		if len(traits) > 0 {
			s += " with " + strings.Join(traits, " and ")
		}
		seen[s] = true
	}
	return "[" + strings.Join(slices.Sorted(maps.Keys(seen)), " | ") + "]"
}

func (d draw) expr(depth int, every bool) string {
	if depth > 0 && d.chance(60) {
		return fmt.Sprintf("(%s %s %s)", d.expr(depth-1, every), choose(d, []string{"or", "or", "and", "except"}), d.expr(depth-1, every))
	}
	switch d.IntN(12) {
	case 0:
		return "self"
	case 1:
		return "nobody"
	case 2:
		return fmt.Sprintf("%s:%d#%s", choose(d, holders), d.IntN(objectIDs), choose(d, names))
	case 3, 4, 5:
		return "link->" + choose(d, names)
	case 6:
		if every {
			return "every link->" + choose(d, names)
		}
	}
	return choose(d, names)
}

// tuple draws one that the schema admits, or nothing.
func (d draw) tuple(m *schema.Module, near time.Time) (tuple.Tuple, bool) {
	kind := choose(d, holders)
	var relations []*schema.Relation
	for _, r := range m.Schema.Type(kind).Relations {
		if !r.Permission {
			relations = append(relations, r)
		}
	}
	r := choose(d, relations)
	shape := choose(d, r.Shapes)
	var out tuple.Tuple
	out.Object, out.Relation = tuple.Object{Type: kind, ID: d.id()}, r.Name
	out.Subject = tuple.Subject{Type: m.Schema.TypeByID(shape.Type).Name, ID: d.id()}
	if shape.Wildcard {
		out.Subject.ID = tuple.Wildcard
	}
	if shape.Relation != 0 {
		out.Subject.Relation = m.Schema.Relation(shape.Relation).Name
	}
	if shape.Condition != 0 {
		out.Condition.Name = m.Schema.Condition(shape.Condition).Name
		out.Condition.Context = tuple.Context(choose(d, map[string][]string{
			"a": {``, `{"x":true}`, `{"x":false}`}, "b": {``, `{"y":9}`, `{"y":1}`}, "fails": {`{"zero":0}`, `{"zero":1}`, ``}}[out.Condition.Name]))
	}
	if shape.Expiry == schema.ExpiryRequired || shape.Expiry == schema.ExpiryOptional && d.chance(50) {
		out.Expires = near.Add(time.Duration(d.IntN(5)-1)*time.Second + time.Duration(d.IntN(3)-1))
	}
	return out, m.Admission.Admit(out) == nil
}

func (d draw) id() string { return fmt.Sprint(d.IntN(objectIDs)) }

// subject draws whom to ask about: also symbols, and somebody whom nothing names.
func (d draw) subject() tuple.Subject {
	s := tuple.Subject{Type: choose(d, kinds), ID: d.id()}
	switch {
	case s.Type != "user" && d.chance(35):
		s.Relation = choose(d, names)
	case d.chance(10):
		s.ID = tuple.Wildcard
	case d.chance(10):
		s.ID = "unnamed"
	}
	return s
}
