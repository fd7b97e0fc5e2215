package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/server/api"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// At most n connections are served at once; the next one waits for one to end.
func TestConnectionsAreBounded(t *testing.T) {
	l := bound(listen(t), 1)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted")
	default:
	}
	first.Close()
	first.Close() // closing twice frees one place, not two
	second, ok := <-accepted
	if !ok {
		t.Fatal("the second connection was never accepted")
	}
	if n := len(l.(*boundListener).open); n != 1 {
		t.Errorf("%d connections are counted, want 1", n)
	}
	second.Close()
	l.Close()
	if _, ok := <-accepted; ok {
		t.Error("a closed listener accepts")
	}
}

func TestServeStops(t *testing.T) {
	s := bare(Config{})
	s.handle("GET /x", func(w http.ResponseWriter, r *http.Request) error {
		return respond(w, http.StatusOK, api.Health{Status: "ok"})
	})
	ctx, cancel := context.WithCancel(t.Context())
	l, m := listen(t), listen(t)
	stopped := make(chan error, 2)
	go func() { stopped <- s.Serve(ctx, l) }()
	go func() { stopped <- s.ServeMetrics(ctx, m) }()
	get := func(url string) string {
		response, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return string(text)
	}
	if got := get("http://" + l.Addr().String() + "/x"); !strings.Contains(got, "ok") {
		t.Errorf("got %s", got)
	}
	if got := get("http://" + m.Addr().String() + "/metrics"); !strings.Contains(got, `pemba_http_requests_total{route="GET /x",status="200"} 1`) {
		t.Errorf("got %s", got)
	}
	cancel()
	for range 2 {
		if err := <-stopped; err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("the listener is open")
	}
}
