package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
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

// Writes under way together end as the file says: every tuple is there, of two
// lines about one tuple the later counts, and the token knows all of it.
func TestParallelImportKeepsTheLastLine(t *testing.T) {
	store := pembatest.Start(t, pembatest.Schema("pemba 1\n\ntype user\n\ntype group {\n  relation member: [user with expiry?]\n}\n"))
	var file strings.Builder
	file.WriteString("object,relation,subject,expires\n")
	for i := range 2000 {
		fmt.Fprintf(&file, "group:g%d,member,user:ana,2099-01-01T00:00:00Z\n", i%500)
		fmt.Fprintf(&file, "group:g%d,member,user:ana,%d-01-01T00:00:00Z\n", i%500, 2100+i/500)
	}
	args := strings.Fields("pemba tuple import --format csv --batch 7 --parallel 8 --json --store test --server " + store.Address + " -")
	var out, said strings.Builder
	if code := execute(t.Context(), args, streams{in: strings.NewReader(file.String()), out: &out, err: &said}); code != 0 {
		t.Fatalf("exit code %d: %s", code, said.String())
	}
	var result imported
	if err := json.Unmarshal([]byte(out.String()), &result); err != nil {
		t.Fatal(err)
	}
	count := 0
	for found, err := range store.Tuples(t.Context(), api.ReadRequest{Consistency: api.AtExactSnapshot(tuple.Token(result.Token))}) {
		if err != nil {
			t.Fatal(err)
		}
		if count++; found.Expires.Year() != 2103 {
			t.Errorf("%s until %v", found.Object, found.Expires)
		}
	}
	if count != 500 {
		t.Errorf("at the import's token there are %d tuples, want 500", count)
	}
}
