package server_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// While a node opens, every request is answered at once, and whoever comes while
// it begins to serve finds the one or the other.
func TestOpeningAnswersUntilTheNodeServes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	opening := server.Open(listener.(*net.TCPListener), server.Config{})
	address := "http://" + listener.Addr().String()
	c, err := client.New(client.Config{Addresses: []string{address}, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Store("s").Touch(t.Context(), api.Tuple{Object: "d:1", Relation: "r", Subject: "u:1"}); api.AsProblem(err) == nil || api.AsProblem(err).Code != api.NotReady {
		t.Errorf("a write is answered by %v", err)
	}
	if err := c.Ready(t.Context()); api.AsProblem(err) == nil {
		t.Errorf("/readyz is answered by %v", err)
	}
	if answer, err := http.Get(address + "/healthz"); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("/healthz is answered by %v, %v", answer, err)
	} else {
		answer.Body.Close()
	}
	var served, early atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for ctx.Err() == nil {
				answer, err := http.Get(address + "/v1/limits")
				if err != nil {
					t.Errorf("a request was not answered: %v", err)
					return
				}
				answer.Body.Close()
				if answer.StatusCode == http.StatusTeapot {
					served.Add(1)
				} else {
					early.Add(1)
				}
			}
		})
	}
	for early.Load() < 50 {
		time.Sleep(time.Millisecond)
	}
	wait := opening.End()
	node := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })}
	go node.Serve(listener)
	wait()
	for served.Load() < 50 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	clients.Wait()
	if err := node.Close(); err != nil {
		t.Error(err)
	}
}
