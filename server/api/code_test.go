package api_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/server/api"
)

// declared reads the codes from the source, so that none is forgotten.
func declared(t *testing.T) []api.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "code.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []api.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || fmt.Sprint(spec.Type) != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, api.Code(text))
		return true
	})
	return codes
}

func TestCatalogue(t *testing.T) {
	codes := declared(t)
	slices.Sort(codes)
	if got := api.Codes(); !slices.Equal(got, codes) {
		t.Errorf("the catalogue has %v, declared are %v", got, codes)
	}
	for _, code := range codes {
		entry, _ := api.Catalogue(code)
		if entry.Status < 400 || entry.Status > 599 || entry.Title == "" {
			t.Errorf("%s: status %d, title %q", code, entry.Status, entry.Title)
		}
	}
}

func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range api.Codes() {
		entry, _ := api.Catalogue(code)
		if want := fmt.Sprintf("| `%s` | %d |", code, entry.Status); !strings.Contains(string(text), want) {
			t.Errorf("docs/http.md lacks the line %s", want)
		}
	}
}

func TestProblemIs(t *testing.T) {
	err := error(api.Faults{
		{Code: api.UnknownType, Pointer: "/object", Message: "no type"},
		{Code: api.InvalidValue, Pointer: "/subject", Message: "bad"},
	}.Problem())
	err = fmt.Errorf("checking: %w", err)
	for _, code := range []api.Code{api.InvalidRequest, api.UnknownType, api.InvalidValue} {
		if !errors.Is(err, code) {
			t.Errorf("errors.Is(err, %s) is false", code)
		}
	}
	if errors.Is(err, api.UnknownStore) {
		t.Error("errors.Is(err, unknown_store) is true")
	}
	if api.Faults(nil).Err() != nil {
		t.Error("no faults are an error")
	}
}
