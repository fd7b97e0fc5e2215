package dialect_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

var comments = map[string]*regexp.Regexp{
	".fga": regexp.MustCompile(`(?m)(?:^|\s)(?:#|//) *([^\n]+)$`),
	".zed": regexp.MustCompile(`(?m)(?://|/\*\*?|^ \*) +([^\n*/]+[^\n*/ ])`),
}

// TestCommentsAreKept looks for every comment of a model in what it became.
func TestCommentsAreKept(t *testing.T) {
	found := 0
	goldens(t, func(t *testing.T, _ string, do func([]source.File) dialect.Result, files []source.File) {
		result := do(files)
		if result.Err() != nil {
			return
		}
		var all strings.Builder
		for _, f := range result.Files {
			all.WriteString(f.Text)
		}
		for _, f := range files {
			for ending, rule := range comments {
				if !strings.HasSuffix(f.Name, ending) {
					continue
				}
				for _, m := range rule.FindAllStringSubmatch(f.Text, -1) {
					found++
					if !strings.Contains(all.String(), m[1]) {
						t.Errorf("the comment %q of %s is gone from\n%s", m[1], f.Name, &all)
					}
				}
			}
		}
	})
	if found < 40 {
		t.Errorf("only %d comments were looked for", found)
	}
}
