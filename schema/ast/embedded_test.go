package ast_test

import (
	"testing"

	"github.com/pemba-authz/pemba/schema/ast"
)

// Braces, quotes and comments inside of CEL and JSON end neither.
func TestEmbeddedLanguages(t *testing.T) {
	for _, body := range []string{
		`a`, `{"a": {"b": 1}}["a"] == {}`, `a == "}"`, `a == '}'`, `a == "\"}"`, `a == '\'}'`, `a == "\\"`,
		`a == r"\"`, `a == R'\'`, `a == b"}"`, `a == rb"\" || a == bR'\'`, `a == br"}\"`,
		`a == """}"" } """`, `a == '''}'' } '''`, `a == """\"""}"""`, `a == r"""\"""`, "a == '''\n}\n'''", "a // }\n || b",
		"a // \"\n|| b", `var == "x"`, `r == "}"`, `a.b("{") || c["}"]`,
	} {
		t.Run(body, func(t *testing.T) {
			f, err := parse("pemba 1\ncondition c(a: int) { " + body + " }\ntype after\n")
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Decls[0].(*ast.Condition).Body; got != body {
				t.Errorf("got %q", got)
			}
			if len(f.Decls) != 2 {
				t.Errorf("%d declarations, want 2", len(f.Decls))
			}
		})
	}
	for _, context := range []string{`{}`, `{"a":"}"}`, `{"a":"\"}"}`, `{"a":{"b":[{"c":1}]}}`, "{\n\"a\"\n:1}"} {
		t.Run(context, func(t *testing.T) {
			f, err := parse("pemba 1\ntest \"t\" {\n  given a:b#c@d:e with f " + context + " until 2030-01-01T00:00:00Z\n  allow a:b to c on d:e with " + context + "\n}\n")
			if err != nil {
				t.Fatal(err)
			}
			s := f.Decls[0].(*ast.Test).Statements
			if got := s[0].(*ast.Given); got.Context != context || got.Until == "" {
				t.Errorf("got %+v", got)
			}
			if got := s[1].(*ast.Assert).Context; got != context {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestTheBodyOfAConditionHasItsPlace(t *testing.T) {
	f, err := parse("pemba 1\ncondition c(a: int) {\n\n    a > 1 &&\n  a < 5\n}\n")
	if err != nil {
		t.Fatal(err)
	}
	c := f.Decls[0].(*ast.Condition)
	if c.BodyPlace.Line != 4 || c.BodyPlace.Column != 5 || c.Body != "a > 1 &&\n  a < 5" {
		t.Errorf("got %v %q", c.BodyPlace, c.Body)
	}
}

func TestDocCommentsBelongToWhatFollows(t *testing.T) {
	f, err := parse("pemba 1\n/// Not this.\n\n// note\n/// One\n///  two\ntype user\n\n/// Left alone.\n\ntype other\n//// no doc\ntype third\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"One\n two", "", ""} {
		if got := f.Decls[i].Comments().Doc(); got != want {
			t.Errorf("declaration %d: %q, want %q", i, got, want)
		}
	}
}
