package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScenarios runs the scenario files through the command line.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../../testdata/scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scenarios: %v", err)
	}
	args := append([]string{"pemba", "schema", "test", "--at", "2026-05-04T12:00:00Z"}, files...)
	var out, problems bytes.Buffer
	code := execute(t.Context(), args, streams{in: strings.NewReader(""), out: &out, err: &problems})
	if code != 0 || strings.Contains(out.String(), "FAIL") || problems.Len() > 0 {
		t.Errorf("got the exit code %d, want 0\n%s%s", code, out.String(), problems.String())
	}
	if got := strings.Count(out.String(), " 0 failed\n"); got != len(files) {
		t.Errorf("%d of %d scenarios report that nothing failed", got, len(files))
	}
}

func TestScenarioThatFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "wrong.txtar")
	for text, want := range map[string]string{
		"-- schema.pemba --\npemba 1\ntype user\ntype g { relation m: [user] }\ntest \"t\" { allow user:ana to m on g:x }\n":   "want allowed, got denied",
		"-- schema.pemba --\npemba 1\ntype user\ntype g { relation m: [user] }\n-- refused.txt --\ng:x#m@user:ana => sealed\n": "should be refused with sealed",
		"-- schema.pemba --\npemba 1\ntype g { relation m: [user] }\n":                                                         `no type "user"`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code := execute(t.Context(), []string{"pemba", "schema", "test", name}, streams{in: strings.NewReader(""), out: &out, err: &out})
		if code != exitNo || !strings.Contains(out.String(), want) {
			t.Errorf("got the exit code %d, want %d and %q\n%s", code, exitNo, want, out.String())
		}
	}
}
