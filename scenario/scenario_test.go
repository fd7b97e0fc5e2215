package scenario_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/scenario"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// TestScenarios runs the scenario files at the top of the repository over the
// engine: every assertion holds, and together they exercise every branch.
func TestScenarios(t *testing.T) {
	scenarios, err := scenario.Load(os.DirFS("../testdata/scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	if len(scenarios) < 25 {
		t.Errorf("got %d scenarios, want at least 25", len(scenarios))
	}
	for _, s := range scenarios {
		t.Run(s.Name, func(t *testing.T) {
			if s.Comment == "" {
				t.Error("the scenario does not say what it is about")
			}
			m, err := s.Check()
			if err != nil {
				t.Fatal(err)
			}
			if m == nil {
				return
			}
			report, err := scenario.Run(t.Context(), m, scenario.Options{Now: now})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if !report.OK() || report.Passed == 0 {
				t.Error(text.String())
			} else if len(report.Coverage.Missed) > 0 {
				t.Errorf("not every branch is exercised:\n%s", text.String())
			}
		})
	}
}
