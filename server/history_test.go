package server_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// A revision that history no longer holds is a clear error, for a snapshot and
// for a cursor: never an answer from what is left of it.
func TestHistoryExpires(t *testing.T) {
	node, err := raftstore.Open(t.Context(), raftstore.Config{Dir: t.TempDir(), NoSync: true, HistoryWindow: time.Millisecond, CollectInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	w := onNode(t, node, server.Config{})
	ctx := t.Context()
	if _, err := w.PutSchema(ctx, source(model)); err != nil {
		t.Fatal(err)
	}
	old := w.touch("group:eng#member@user:ana", "group:eng#member@user:bob")
	request := api.ReadRequest{Page: api.Page{Limit: 1}}
	page, err := w.ReadTuples(ctx, request)
	if err != nil || page.Cursor == "" {
		t.Fatal(page, err)
	}
	q := check("group:eng", "member", "user:ana")
	q.Consistency = api.AtExactSnapshot(old.Token)
	for i := 0; ; i++ {
		w.touch(fmt.Sprintf("group:eng#member@user:u%d", i))
		got, err := w.Check(ctx, q)
		if errors.Is(err, api.HistoryExpired) {
			break
		}
		if err != nil || !got.Allowed {
			t.Fatalf("before it expired: %+v, %v", got, err)
		}
	}
	request.Cursor = page.Cursor
	_, err = w.ReadTuples(ctx, request)
	if problem := api.AsProblem(err); problem == nil || problem.Code != api.HistoryExpired || problem.Status != 410 || problem.Errors[0].Pointer != "/cursor" {
		t.Errorf("the cursor: got %v", err)
	}
	if _, err := w.Schema(ctx, old.Token); !errors.Is(err, api.HistoryExpired) {
		t.Errorf("the schema: got %v", err)
	}
	versions, err := w.SchemaVersions(ctx)
	if err != nil || len(versions.Versions) != 1 || !versions.More {
		t.Errorf("the versions: got %+v, %v", versions, err)
	}
	if got, err := w.Schema(ctx, ""); err != nil || got.ETag != versions.Versions[0].ETag || !got.WrittenAt.IsZero() {
		t.Errorf("the schema now: got %+v, %v", got, err)
	}
}
