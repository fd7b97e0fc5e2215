package ast_test

import (
	"os"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/internal/golden"
	"github.com/pemba-authz/pemba/schema/ast"
)

func TestFormat(t *testing.T) {
	for name, text := range inputs(t, "testdata/format/*.pemba") {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, strings.TrimSuffix(name, ".pemba")+".golden", checkFixpoint(t, text))
		})
	}
}

func TestExampleOfTheLanguageIsCanonical(t *testing.T) {
	text, err := os.ReadFile("testdata/format/ptolemy.pemba")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ast.FormatText("ptolemy.pemba", string(text))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(text) {
		t.Errorf("got\n%s", got)
	}
}

func TestFormatTextRefusesFaultyFiles(t *testing.T) {
	if got, err := ast.FormatText("a.pemba", "pemba 1\ntype\n"); err == nil {
		t.Errorf("got %q and no error", got)
	}
}

func TestDiagnostics(t *testing.T) {
	for name, text := range inputs(t, "testdata/errors/*.pemba") {
		t.Run(name, func(t *testing.T) {
			golden.Compare(t, strings.TrimSuffix(name, ".pemba")+".golden", render(name, text))
		})
	}
}

func TestLineEndsAndByteOrderMarksAreDropped(t *testing.T) {
	got, err := ast.FormatText("a.pemba", "\uFEFFpemba 1\r\n\r\n// why\r\ntype user // trail\r\n")
	if want := "pemba 1\n\n// why\ntype user // trail\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
