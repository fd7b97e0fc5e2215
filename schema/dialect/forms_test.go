package dialect_test

import (
	"testing"

	"github.com/pemba-authz/pemba/schema/dialect/spicedb"
	"github.com/pemba-authz/pemba/schema/source"
)

// TestSpiceDBForms holds the importer to forms on which SpiceDB itself was asked.
func TestSpiceDBForms(t *testing.T) {
	const types = "definition user {}\ndefinition team {\n"
	for _, c := range []struct {
		name, text string
		accepted   bool
	}{
		{"a flag twice", "use expiration\nuse expiration\ndefinition user {}", true},
		{"declarations on one line", "use self definition user {} definition team {}", true},
		{"no space between declarations", "definition user {}definition team {}", true},
		{"a stranger on the line", "definition user {} relation", false},
		{"self needs no annotation", "use self\nuse typechecking\n" + types + "permission see: user = self\n}", true},
		{"what is taken away does", "use typechecking\n" + types + "relation member: user\nrelation parent: team\npermission see: user = member - parent\n}", false},
		{"and is annotated", "use typechecking\n" + types + "relation member: user\nrelation parent: team\npermission see: user | team = member - parent\n}", true},
		{"a wildcard taken in within the definition", types + "relation member: user:*\nrelation reader: team#member\n}", true},
		{"a wildcard taken in and walked", types + "relation member: user:*\nrelation reader: team#member\npermission see = reader->member\n}", false},
		{"a wildcard taken in from another", types + "relation member: user:*\n}\ndefinition note {\nrelation reader: team#member\n}", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := spicedb.Import([]source.File{{Name: "root.zed", Text: c.text}})
			if accepted := len(got.Files) > 0; accepted != c.accepted {
				t.Errorf("accepted: got %v, want %v; %v\n%s", accepted, c.accepted, got.Report, c.text)
			}
		})
	}
}
