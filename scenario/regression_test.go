package scenario_test

import (
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

const savedTests = `pemba 1
type user
type doc {
  relation owner:  [user]
  relation viewer: [user]
  permission view = viewer or owner
}
test "owners view" {
  given doc:a#owner@user:ada
  allow user:ada to view on doc:a
}
test "viewers view" {
  given doc:a#viewer@user:vic
  allow user:vic to view on doc:a
}
test "fails already" {
  allow user:nobody to view on doc:a
}
`

func TestRegressions(t *testing.T) {
	module := func(text string) *schema.Module {
		m, err := schema.Compile([]source.File{{Name: "doc.pemba", Text: text}}, schema.NewNumbering())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	untested, _, _ := strings.Cut(savedTests, "test ")
	tests := []struct {
		name, after string
		want        string // names of the tests, joined
		why         string
	}{
		{"the same", untested, "", ""},
		{"owners no longer view", strings.Replace(untested, "viewer or owner", "viewer", 1), "owners view", "doc:a view user:ada: want allowed, got denied"},
		{"no owners", strings.NewReplacer("relation owner:  [user]\n", "", " or owner", "").Replace(untested), "owners view", "owner"},
		{"no view", strings.Replace(untested, "permission view", "permission see", 1), "owners view, viewers view", "view"},
		{"no documents", "pemba 1\ntype user\n", "owners view, viewers view", "doc"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found, err := scenario.Regressions(t.Context(), module(savedTests), module(test.after), scenario.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range found {
				names = append(names, r.Test)
				if !strings.Contains(r.Why, test.why) || !strings.HasPrefix(r.Place, "doc.pemba:") {
					t.Errorf("%s at %s: %q, want … %q", r.Test, r.Place, r.Why, test.why)
				}
			}
			if got := strings.Join(names, ", "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
