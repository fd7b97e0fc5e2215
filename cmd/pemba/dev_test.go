package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/client"
)

// TestDevRunsOn reads what dev says to the end, asks the server it names, and
// stops it as Ctrl-C does.
func TestDevRunsOn(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- execute(ctx, []string{"pemba", "dev", "--http", "127.0.0.1:0"}, streams{in: strings.NewReader(""), out: w, err: io.Discard})
		w.Close()
	}()
	var url string
	var said strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		said.WriteString(line + "\n")
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "The server runs at "); ok {
			url, _, _ = strings.Cut(rest, " ")
		}
		if strings.Contains(line, "/openapi.json") || strings.Contains(line, "pemba dev --schema") {
			break // its last word
		}
	}
	go io.Copy(io.Discard, r)
	if url == "" {
		t.Fatalf("dev names no server:\n%s", said.String())
	}
	if !strings.Contains(said.String(), "curl -s "+url+"/v1/stores/demo/check") {
		t.Errorf("dev gives no curl line for %s:\n%s", url, said.String())
	}
	conn, err := client.New(client.Config{Addresses: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	allowed, err := conn.Store("demo").Allowed(ctx, "workspace:prod", "view_data", "user:uma")
	if err != nil || !allowed {
		t.Errorf("the running server answers %v, %v", allowed, err)
	}
	conn.Close()
	stop()
	if code := <-ended; code != exitDone {
		t.Errorf("dev ended with %d", code)
	}
}
