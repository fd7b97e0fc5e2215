package ast_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func inputs(t *testing.T, pattern string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no input matches %s (%v)", pattern, err)
	}
	texts := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

func parse(text string) (*ast.File, error) {
	f, diagnostics := ast.Parse(source.File{Name: "test.pemba", Text: text})
	return f, diagnostics.Errors()
}

// spaces is the space between lines of CEL, which printing may change.
var spaces = regexp.MustCompile(`[ \t]*\n\s*`)

// meaning makes two trees that mean the same equal: it takes out places, notes
// and the space inside of CEL and JSON, and returns the words of all comments.
func meaning(f *ast.File) (*ast.File, []string) {
	var comments []string
	take := func(texts ...string) {
		for _, t := range texts {
			comments = append(comments, strings.Fields(t)...)
		}
	}
	var strip func(v reflect.Value)
	strip = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				strip(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				strip(v.Index(i))
			}
			if v.Len() == 0 && v.CanSet() {
				v.SetZero()
			}
		case reflect.Struct:
			switch x := v.Addr().Interface().(type) {
			case *source.Place:
				*x = source.Place{}
				return
			case *ast.Notes:
				take(x.Before...)
				take(x.Trail)
				*x = ast.Notes{}
				return
			case *ast.Body:
				take(x.Open)
				take(x.End...)
				x.Open, x.End = "", nil
			case *ast.Test:
				take(x.Open)
				take(x.End...)
				x.Open, x.End = "", nil
			case *ast.Type:
				if x.Body == nil {
					x.Body = &ast.Body{}
				}
			case *ast.File:
				take(x.End...)
				x.End = nil
			case *ast.Name:
				x.Width = 0
			case *ast.Object:
				x.Width = 0
			case *ast.Param:
				x.Width = 0
			case *ast.Condition:
				x.Body = spaces.ReplaceAllString(x.Body, "\n")
			case *ast.Given:
				x.Context = canonical(x.Context)
			case *ast.Assert:
				x.Context = canonical(x.Context)
			}
			for i := range v.NumField() {
				strip(v.Field(i))
			}
		}
	}
	strip(reflect.ValueOf(f))
	slices.Sort(comments)
	return f, comments
}

func canonical(context string) string {
	c, err := tuple.CanonicalContext([]byte(context))
	if err != nil || context == "" {
		return context
	}
	return "{" + string(c)
}

// checkFixpoint checks that what Format prints of a text means the same, keeps
// all comments, and is printed as it is the next time.
func checkFixpoint(t *testing.T, text string) string {
	t.Helper()
	before, err := parse(text)
	if err != nil {
		t.Fatalf("does not parse: %v", err)
	}
	printed := ast.Format(before)
	after, err := parse(printed)
	if err != nil {
		t.Fatalf("what was printed does not parse: %v\n--- input\n%s\n--- printed\n%s", err, text, printed)
	}
	if again := ast.Format(after); again != printed {
		t.Fatalf("printing is no fixpoint\n--- first\n%s\n--- second\n%s", printed, again)
	}
	left, leftComments := meaning(before)
	right, rightComments := meaning(after)
	if !reflect.DeepEqual(left, right) {
		t.Fatalf("printing changed the meaning\n--- input\n%s\n--- printed\n%s", text, printed)
	}
	if !slices.Equal(leftComments, rightComments) {
		t.Fatalf("printing lost comments\n--- input\n%s\n--- printed\n%s", text, printed)
	}
	return printed
}
