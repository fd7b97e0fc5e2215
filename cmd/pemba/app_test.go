package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestFlagsMayStandAnywhere(t *testing.T) {
	app := newApp(streams{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	for line, want := range map[string]string{
		"check a:b c d:e --json":                    "check --json a:b c d:e",
		"check a:b --context {} c d:e":              "check --context {} a:b c d:e",
		"check a:b --context={} c d:e":              "check --context={} a:b c d:e",
		"--store x check a:b c d:e":                 "check --store x a:b c d:e",
		"--json lookup objects --server u t p s":    "lookup objects --json --server u t p s",
		"tuple write -- -a:b#c@d:e":                 "tuple write -- -a:b#c@d:e",
		"schema fmt - -w":                           "schema fmt -w -",
		"schema check schema":                       "schema check schema",
		"tuple read --object check:x":               "tuple read --object check:x",
		"check a:b --contxt x c":                    "check --contxt a:b x c",
		"check --json --generate-bash-completion":   "check --json --generate-bash-completion",
		"store a create --generate-bash-completion": "store a create --generate-bash-completion",
	} {
		if got := flagsFirst(app.Commands, strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("flagsFirst(%s) = %s, want %s", line, strings.Join(got, " "), want)
		}
	}
}
