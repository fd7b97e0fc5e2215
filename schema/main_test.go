package schema_test

import (
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/pemba-authz/pemba/schema/source"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with the file beside the one that it came from.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run go test -update and look at the difference\n--- got\n%s--- want\n%s", name, got, want)
	}
}

// codes returns the codes of all diagnostics of an error.
func codes(err error) map[string]bool {
	found := map[string]bool{}
	var ds source.Diagnostics
	if errors.As(err, &ds) {
		for _, d := range ds {
			found[d.Code] = true
		}
	}
	return found
}
