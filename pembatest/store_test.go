package pembatest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/server/api"
)

const model = `pemba 1
type user
type group    { relation member: [user | group#member] }
type document {
  relation viewer: [user with expiry? | group#member]
  permission view = viewer
}
`

func TestStart(t *testing.T) {
	store := pembatest.Start(t, pembatest.Schema(model), pembatest.Tuples(`
		// ana is an engineer
		group:eng#member@user:ana
		document:readme#viewer@group:eng#member
	`))
	for subject, want := range map[string]bool{"user:ana": true, "user:bob": false} {
		if got, err := store.Allowed(t.Context(), "document:readme", "view", subject); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", subject, got, err, want)
		}
	}
	store.Given(t, "document:readme#viewer@user:bob")
	if got, err := store.Allowed(t.Context(), "document:readme", "view", "user:bob"); err != nil || !got {
		t.Errorf("after a write: got %v, %v", got, err)
	}
	if _, err := store.Client.PutStore(t.Context(), "another"); err != nil {
		t.Error(err)
	}
}

func TestSchemaFileWithImports(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"main.pemba": "pemba 1\nimport \"user.pemba\"\ntype document { relation viewer: [user] }\n", "user.pemba": "pemba 1\ntype user\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store := pembatest.Start(t, pembatest.SchemaFile(filepath.Join(folder, "main.pemba")), pembatest.Tuples("document:a#viewer@user:ana"))
	if got, err := store.Allowed(t.Context(), "document:a", "viewer", "user:ana"); err != nil || !got {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	store := pembatest.Start(t, pembatest.Clock(func() time.Time { return now }), pembatest.Schema(model),
		pembatest.Tuples("document:readme#viewer@user:ana until 2030-01-01T01:00:00Z"))
	answer, err := store.Check(t.Context(), api.CheckRequest{Question: api.Question{Object: "document:readme", Permission: "view", Subject: "user:ana"}})
	if err != nil || !answer.Allowed || !answer.EvaluatedAt.Equal(now) {
		t.Errorf("got %+v, %v", answer, err)
	}
	later := api.CheckRequest{Question: api.Question{Object: "document:readme", Permission: "view", Subject: "user:ana"}, Moment: api.Moment{At: now.Add(time.Hour)}}
	if answer, err := store.Check(t.Context(), later); err != nil || answer.Allowed {
		t.Errorf("at the instant of expiry: got %+v, %v", answer, err)
	}
}
