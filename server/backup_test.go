package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// What a node gives as a file, another cluster begins from.
func TestBackupOverHTTP(t *testing.T) {
	w := start(t, server.Config{})
	before := w.everything()
	var file bytes.Buffer
	if err := w.client.Backup(t.Context(), api.BackupRequest{}, &file); err != nil {
		t.Fatal(err)
	}
	w.touch("group:eng#member@user:later")
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := raftstore.Restore(dir, bytes.NewReader(file.Bytes()), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	node, err := raftstore.Open(t.Context(), raftstore.Config{Dir: dir, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	if got := onNode(t, node, server.Config{}).everything(); got != before {
		t.Errorf("the restored cluster holds\n%s\nwant\n%s", got, before)
	}
	for _, request := range []api.BackupRequest{{Store: "acme"}, {Bare: true}, {Local: true}} {
		file.Reset()
		if err := w.client.Backup(t.Context(), request, &file); err != nil {
			t.Fatal(err)
		}
		header, contents, err := raftstore.VerifyBackup(&file)
		if err != nil || header.Store != request.Store || (header.Floor == header.Revision) != request.Bare || len(contents.Stores) != 1 {
			t.Errorf("%+v: %+v, %+v, %v", request, header, contents, err)
		}
	}
	for query, code := range map[string]api.Code{
		"store=nothing": api.UnknownStore,
		"history=no":    api.InvalidValue,
		"stores=acme":   api.UnknownMember,
	} {
		if got := w.send("GET /v1/backup?"+query, ""); got.problem == nil || got.problem.Code != code {
			t.Errorf("%s: %s, want %s", query, got.body, code)
		}
	}
}

// A backup that breaks off on its way is an error, and its file is refused.
func TestBackupCutOff(t *testing.T) {
	w := start(t, server.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var file bytes.Buffer
	err := w.client.Backup(ctx, api.BackupRequest{}, cutter(func(b []byte) (int, error) {
		cancel()
		return file.Write(b[:len(b)/2])
	}))
	if err == nil || !errors.Is(err, client.ErrStreamCut) {
		t.Errorf("got %v", err)
	}
	if _, _, err := raftstore.VerifyBackup(&file); !errors.Is(err, backup.ErrTruncated) {
		t.Errorf("half of the file: %v", err)
	}
	if err := w.client.Backup(t.Context(), api.BackupRequest{}, io.Discard); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

type cutter func([]byte) (int, error)

func (f cutter) Write(b []byte) (int, error) { return f(b) }
