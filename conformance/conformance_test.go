package conformance

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// TestConformance runs every case of the folder that PEMBA_CONFORMANCE names and
// prints how many of each source passed and failed.
func TestConformance(t *testing.T) {
	folder := os.Getenv("PEMBA_CONFORMANCE")
	if folder == "" {
		t.Skip("PEMBA_CONFORMANCE names no folder of cases")
	}
	fresh := serve(t)
	counts := map[string]*report{}
	for _, c := range loadCases(t, folder) {
		r := counts[c.Source]
		if r == nil {
			r = &report{}
			counts[c.Source] = r
		}
		passed := false
		t.Run(c.ID, func(t *testing.T) { passed = runCase(t, &c, fresh) })
		if passed {
			r.passed++
		} else {
			r.failed++
		}
	}
	var all report
	for _, source := range slices.Sorted(maps.Keys(counts)) {
		r := counts[source]
		t.Logf("%-32s %5d passed %5d failed", source, r.passed, r.failed)
		all.passed += r.passed
		all.failed += r.failed
	}
	t.Logf("%-32s %5d passed %5d failed", "all", all.passed, all.failed)
}
