package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// endless gives the same text again and again.
type endless struct {
	text string
	read int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		copied := copy(p[n:], e.text[e.read%len(e.text):])
		n, e.read = n+copied, e.read+copied
	}
	return n, nil
}

// A stream without an end that holds no tuples is refused after the first of it,
// in every format, and leaves nothing behind.
func TestImportOfEndlessStreams(t *testing.T) {
	schema := filepath.Join(t.TempDir(), "schema.pemba")
	if err := os.WriteFile(schema, []byte("pemba 1\ntype user\ntype group { relation member: [user] }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	for name, stream := range map[string]struct{ flags, text string }{
		"zeros":                {"--format text", "\x00"},
		"one line":             {"--format text", "group:"},
		"lines without tuples": {"--format text", "group:a#member\n"},
		"refused tuples":       {"--format text", "group:a#owner@user:ana\n"},
		"csv line":             {"--format csv", "object,"},
		"csv":                  {"--format csv", "object,relation,subject\n"},
		"csv quote":            {"--format csv", "\"a\n"},
		"json depth":           {"--format json", "["},
		"json objects":         {"--format json", `{"object":"a"}`},
		"json spaces":          {"--format json", `{"object":"` + strings.Repeat("a", 1000)},
		"openfga":              {"--from openfga", `{"user":"a"}`},
		"spicedb":              {"--from spicedb", "group:a#member\n"},
		"spicedb line":         {"--from spicedb", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &endless{text: stream.text}
			args := append(strings.Fields("pemba tuple import --dry-run "+stream.flags), "--schema", schema, "-")
			var said strings.Builder
			if code := execute(t.Context(), args, streams{in: in, out: io.Discard, err: &said}); code != exitError {
				t.Errorf("exit code %d, want %d", code, exitError)
			}
			if !strings.Contains(said.String(), "standard input:") || in.read > 64<<20 {
				t.Errorf("after %d bytes: %.500s", in.read, said.String())
			}
			if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}
