package ast_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/pemba-authz/pemba/schema/ast"
)

// generator builds random trees: every construct, with names that collide with
// keywords and comments in every place.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

func some[T any](g generator, least, most int, make func() T) []T {
	list := []T{}
	for range least + g.IntN(most-least+1) {
		list = append(list, make())
	}
	return list
}

func (g generator) name() ast.Name {
	return ast.N(pick(g, "a", "viewer", "view_data", "x-y", "a--b", "or", "and", "except", "every", "self", "nobody", "same",
		"relation", "permission", "acts", "exclusive", "with", "at", "most", "deprecated", "immutable", "expiry", "to", "on",
		"until", "missing", "given", "allow", "only", "deny", "conditional", "for", "import", "type", "singleton", "extend",
		"condition", "sealed", "never", "always", "test", "pemba", "refuse", "grants", "holds", "12", "0x", "true", "_",
		"2030-01-01T00", "a_name_that_is_a_good_deal_longer_than_others"))
}

func (g generator) typeName() ast.Name {
	if g.IntN(4) == 0 {
		return ast.N(pick(g, "test/user", "a/b/c", "a//b", "2030-01-01T00/x", "a-/b"))
	}
	return g.name()
}

func (g generator) object() ast.Object {
	return ast.Object{Type: g.typeName().Text, ID: pick(g, "1", "ana", "a,b", "a`b", "a@b.c", "ü", "a|b", "x//y", "->", "`", "''", "a;b", "00:00"[:2])}
}

func (g generator) userset() ast.Userset {
	u := ast.Userset{Object: g.object()}
	switch g.IntN(3) {
	case 0:
		u.Relation = g.name()
	case 1:
		u.Object.ID = "*"
	}
	return u
}

func (g generator) relationOf() ast.Userset {
	return ast.Userset{Object: g.object(), Relation: g.name()}
}

func (g generator) names(least int) []ast.Name { return some(g, least, least+3, g.name) }

func (g generator) comment() string {
	return pick(g, "// why", "//", "/// doc", "/* block */", "/* two\n   lines */", "//// four", "// with \"quote` and { brace")
}

func (g generator) notes() ast.Notes {
	if g.IntN(3) > 0 {
		return ast.Notes{Blank: g.IntN(2) == 0}
	}
	return ast.Notes{Blank: g.IntN(2) == 0, Before: some(g, 0, 3, g.comment), Trail: pick(g, "", "// trail", "/* trail */ // two")}
}

func (g generator) expr(depth int) ast.Expr {
	switch n := g.IntN(9); {
	case depth > 0 && n < 4:
		op := pick(g, ast.Or, ast.And, ast.Except)
		most := 4
		if op == ast.Except {
			most = 2
		}
		return &ast.Operation{Op: op, Operands: some(g, 2, most, func() ast.Expr { return g.expr(depth - 1) })}
	case n == 4:
		return &ast.Arrow{Every: g.IntN(3) == 0, Relation: g.name(), Target: g.target()}
	case n == 5:
		return &ast.Fixed{Object: g.object(), Relation: g.target()}
	case n == 6:
		return &ast.Direct{Subjects: some(g, 1, 6, g.subject), AtMost: pick(g, 0, 0, 1, 20)}
	case n == 7:
		return pick[ast.Expr](g, &ast.Self{}, &ast.Nobody{})
	default:
		return &ast.Ref{Name: g.name()}
	}
}

// target is a name behind an arrow that is not the keyword same: that one has a
// flag of its own, which TestSame looks at.
func (g generator) target() ast.Name {
	for {
		if n := g.name(); n.Text != "same" {
			return n
		}
	}
}

func (g generator) subject() ast.Subject {
	s := ast.Subject{Type: g.typeName(), Expiry: pick(g, ast.NoExpiry, ast.NoExpiry, ast.OptionalExpiry, ast.RequiredExpiry)}
	switch g.IntN(4) {
	case 0:
		s.Relation = g.name()
	case 1:
		s.Wildcard = true
	}
	if g.IntN(3) == 0 {
		s.Condition = g.name()
	}
	return s
}

func (g generator) member() ast.Member {
	if g.IntN(6) == 0 {
		return &ast.Acts{Notes: g.notes(), Owner: g.name(), On: g.typeName(), Permissions: g.names(0)}
	}
	return &ast.Relation{Notes: g.notes(), Permission: g.IntN(2) == 0, Names: some(g, 1, pick(g, 1, 3, 12), g.name), Expr: g.expr(3),
		Deprecated: pick(g, "", "", "", "use \"x\" \\ instead\n")}
}

func (g generator) context() string {
	return pick(g, "", `{"a":"}","b":[1,2.50,{"c":null}]}`, "{\n  \"a\" : 1\n}")
}

func (g generator) statement() ast.Statement {
	if g.IntN(2) == 0 {
		given := &ast.Given{Notes: g.notes(), Userset: g.relationOf(), Subject: g.userset(), Until: pick(g, "", "2030-01-01T00:00:00+01:00")}
		if g.IntN(2) == 0 {
			given.Condition, given.Context = g.name(), g.context()
		}
		return given
	}
	a := &ast.Assert{Notes: g.notes(), Kind: pick(g, ast.Allow, ast.Deny, ast.Conditional, ast.Only), Subjects: some(g, 1, 5, g.userset),
		Names: g.names(1), Objects: some(g, 1, 4, g.object), Context: g.context(), Time: pick(g, "", "2030-01-01T00:00:00.25Z")}
	if a.Kind == ast.Conditional {
		a.Missing = g.names(0)
	}
	return a
}

func (g generator) decl() ast.Decl {
	switch g.IntN(8) {
	case 0:
		return &ast.Import{Notes: g.notes(), Path: pick(g, "a.pemba", "b/\"c\".pemba")}
	case 1:
		params := some(g, 0, 3, func() ast.Param {
			return ast.Param{Name: g.name(), Type: pick(g, "int", "list<string>", "map<list<any>>")}
		})
		return &ast.Condition{Notes: g.notes(), Name: g.name(), Params: params,
			Body: pick(g, "true", "a > 1 // why", "a &&\n    b ||\n\t\"x\ty  z\" ||\n\n  c", `r'\' == "}" || {'a': "{"}['a'] == ""`, "x == '''\n}\n'''")}
	case 2:
		return &ast.Sealed{Notes: g.notes(), Userset: g.relationOf(), Subjects: some(g, 1, 8, g.userset)}
	case 3, 4:
		verb := g.IntN(3)
		return &ast.Claim{Notes: g.notes(), Always: verb == 0, Grants: verb == 1,
			Left: ast.TypeRelation{Type: g.typeName(), Relation: g.name()}, Right: ast.TypeRelation{Type: g.typeName(), Relation: g.name()}}
	case 5:
		return &ast.Test{Notes: g.notes(), Name: pick(g, "a", "with \"quotes\"", ""), Statements: some(g, 0, 6, g.statement),
			Open: pick(g, "", "// open"), End: some(g, 0, 2, g.comment)}
	default:
		t := &ast.Type{Notes: g.notes(), Kind: pick(g, ast.Ordinary, ast.Singleton, ast.Extend), Name: g.typeName()}
		if t.Kind == ast.Singleton {
			t.ID = g.object().ID
		}
		if t.Kind != ast.Ordinary || g.IntN(4) > 0 {
			t.Body = &ast.Body{Members: some(g, 0, 6, g.member), Open: pick(g, "", "// open"), End: some(g, 0, 2, g.comment)}
		}
		return t
	}
}

func TestRandomTreesSurvivePrinting(t *testing.T) {
	for seed := range uint64(3000) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		build := func() *ast.File {
			g = generator{rand.New(rand.NewPCG(seed, 1))}
			f := ast.NewFile("test.pemba")
			f.Header.Notes = g.notes()
			f.Decls = some(g, 0, 6, g.decl)
			f.End = some(g, 0, 2, g.comment)
			return f
		}
		printed := ast.Format(build())
		parsed, err := parse(printed)
		if err != nil {
			t.Fatalf("seed %d: what was printed does not parse: %v\n%s", seed, err, printed)
		}
		if again := ast.Format(parsed); again != printed {
			t.Fatalf("seed %d: printing is no fixpoint\n--- first\n%s\n--- second\n%s", seed, printed, again)
		}
		want, wantComments := meaning(build())
		got, gotComments := meaning(parsed)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: the tree changed%s\n%s", seed, firstDifference(got, want), printed)
		}
		if !slices.Equal(gotComments, wantComments) {
			t.Fatalf("seed %d: comments were lost: %q, want %q\n%s", seed, gotComments, wantComments, printed)
		}
	}
}

// firstDifference names the first declaration that differs.
func firstDifference(got, want *ast.File) string {
	for i := range min(len(got.Decls), len(want.Decls)) {
		if !reflect.DeepEqual(got.Decls[i], want.Decls[i]) {
			return fmt.Sprintf(": declaration %d is %+v, want %+v", i, got.Decls[i], want.Decls[i])
		}
	}
	return fmt.Sprintf(": %d declarations, want %d", len(got.Decls), len(want.Decls))
}

func TestSame(t *testing.T) {
	f, err := parse("pemba 1\ntype a {\n  relation x: [a] or y->same or b:c#same or y->`same`\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	operands := f.Decls[0].(*ast.Type).Body.Members[0].(*ast.Relation).Expr.(*ast.Operation).Operands
	if !operands[1].(*ast.Arrow).Same || !operands[2].(*ast.Fixed).Same {
		t.Error("same was read as a name")
	}
	if arrow := operands[3].(*ast.Arrow); arrow.Same || arrow.Target.Text != "same" {
		t.Error("a quoted same was read as the keyword")
	}
}
