package source_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
)

func TestNearest(t *testing.T) {
	candidates := []string{"viewer", "editor", "owner", "x", "view_data"}
	for name, want := range map[string]string{
		"viewr": "viewer", "viewers": "viewer", "veiwer": "viewer", "onwer": "owner", "view_dta": "view_data",
		"y": "", "admin": "", "": "", "viewer": "", "vieweditor": "",
	} {
		if got := source.Nearest(name, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNearestTakesTheNearest(t *testing.T) {
	if got := source.Nearest("viewers", []string{"viewed", "viewer"}); got != "viewer" {
		t.Errorf("got %q", got)
	}
}

func TestRenderPointsAtTheFault(t *testing.T) {
	d := &source.Diagnostic{Code: "unknown_type", Place: source.Place{File: "a.pemba", Line: 3, Column: 5}, Width: 4,
		Excerpt: "\tü: usr", Message: "there is no type", Expected: "a type", Suggestion: "did you mean user?"}
	want := "a.pemba:3:5: error: there is no type [unknown_type]\n    3 |  ü: usr\n            ^^^^\n        expected a type\n        did you mean user?\n"
	if got := d.Render(); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

func TestExcerptsAreShortAndValid(t *testing.T) {
	long := strings.Repeat("ü", 1_000_000) + "\xff"
	files := []source.File{{Name: "a", Text: "first\r\nsec\xffond\n" + long}}
	excerpt := source.Excerpts(files)
	at := func(line, column int) string { return excerpt(source.Place{File: "a", Line: line, Column: column}) }
	if got := excerpt(source.Place{File: "b", Line: 1, Column: 1}); got != "" {
		t.Errorf("an excerpt of a file that is not there: %q", got)
	}
	if got := at(1, 1); got != "first" {
		t.Errorf("got %q", got)
	}
	if got := at(2, 1); got != "sec\uFFFDond" {
		t.Errorf("got %q", got)
	}
	if got := at(3, 5); utf8.RuneCountInString(got) > 1001 || !utf8.ValidString(got) || !strings.HasSuffix(got, "ü…") {
		t.Errorf("got %d bytes", len(got))
	}
	if got := at(3, 500_000); got != "" {
		t.Errorf("an excerpt without the place: %d bytes", len(got))
	}
}

func TestSortDropsWhatIsSaidTwice(t *testing.T) {
	at := func(line int, message string) *source.Diagnostic {
		return &source.Diagnostic{Place: source.Place{Line: line, Column: 1}, Message: message}
	}
	got := source.Diagnostics{at(2, "b"), at(1, "a"), at(2, "b"), at(2, "c")}.Sort()
	if len(got) != 3 || got[0].Message != "a" || got[2].Message != "c" {
		t.Errorf("got %v", got)
	}
}

// Of a long line the part around the fault is shown, with the caret under it.
func TestLongLinesAreShownAroundTheFault(t *testing.T) {
	line := strings.Repeat("a", 300) + "XYZ" + strings.Repeat("b", 300)
	for _, test := range []struct {
		name         string
		column, wide int
		want         string // what stands over the carets
	}{
		{"in the middle", 301, 3, "XYZ"},
		{"at the beginning", 1, 2, "aa"},
		{"at the end", 603, 1, "b"},
		{"wider than what is shown", 301, 900, "XYZ" + strings.Repeat("b", 77)},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := source.Diagnostic{Place: source.Place{File: "x", Line: 1, Column: test.column}, Width: test.wide, Excerpt: line}
			rows := strings.Split(d.Render(), "\n")
			shown, carets := []rune(rows[1]), []rune(rows[2])
			if len(shown) > 180 {
				t.Errorf("%d characters are shown", len(shown))
			}
			first, last := strings.IndexRune(string(carets), '^'), len(carets)
			if last > len(shown) || string(shown[first:last]) != test.want {
				t.Errorf("the carets are under the wrong part:\n%s\n%s", rows[1], rows[2])
			}
		})
	}
}
