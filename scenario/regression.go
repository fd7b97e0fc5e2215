package scenario

import (
	"context"
	"fmt"

	"github.com/pemba-authz/pemba/schema"
)

// Regression is a test that passes under the schema it was saved with, and would
// fail under another.
type Regression struct {
	Test  string // its name
	Place string // in the schema that it was saved with
	Why   string // the first thing that fails
}

// Regressions runs the tests of a schema under the one that is to replace it.
// Tests that fail already are none.
func Regressions(ctx context.Context, before, after *schema.Module, o Options) ([]Regression, error) {
	was, err := Run(ctx, before, o)
	if err != nil {
		return nil, err
	}
	replaced := *after
	replaced.Tests = before.Tests
	is, err := Run(ctx, &replaced, o)
	if err != nil {
		return nil, err
	}
	var found []Regression
	for i, t := range is.Tests {
		if was.Tests[i].Passed() && !t.Passed() {
			found = append(found, Regression{t.Name, t.Place, t.firstFailure()})
		}
	}
	return found, nil
}

func (t *Test) firstFailure() string {
	if len(t.Faults) > 0 {
		return t.Faults[0].Message
	}
	for _, c := range t.Checks {
		if !c.Passed {
			return fmt.Sprintf("%s: %s %s %s: want %s, got %s", c.Place, c.Object, c.Permission, c.Subject, c.Want, c.Got)
		}
	}
	return ""
}
