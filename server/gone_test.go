package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/pemba-authz/pemba/server"
)

// gone is a client that has left before it read anything.
type gone struct{ http.ResponseWriter }

func (g gone) Write([]byte) (int, error) { return 0, syscall.ECONNRESET }

// A client that leaves in the middle of a list is no fault of the server's.
func TestNobodyListens(t *testing.T) {
	w := start(t, server.Config{})
	var many []string // more than the stream's buffer holds
	for i := range 400 {
		many = append(many, fmt.Sprintf("document:%d%s#viewer@user:ana", i, strings.Repeat("x", 200)))
	}
	w.touch(many...)
	var text bytes.Buffer
	handler := server.New(w.node, server.Config{Logger: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	for path, body := range map[string]string{
		"/v1/stores/acme/tuples/read":    `{}`,
		"/v1/stores/acme/lookup/objects": `{"object_type":"document","permission":"view","subject":"user:ana"}`,
	} {
		request := httptest.NewRequest("POST", path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Accept", "application/x-ndjson")
		handler.ServeHTTP(gone{httptest.NewRecorder()}, request)
	}
	if text.Len() > 0 {
		t.Errorf("the server complains:\n%s", text.String())
	}
}
