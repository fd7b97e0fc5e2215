package target

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
)

// constantBody is as long as an answer of Pemba.
const constantBody = `{"allowed":false,"result":"denied","missing":[],"token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","evaluated_at":"2026-01-01T00:00:00.000000000Z"}
`

// ServeConstant answers every request on a listener with the same bytes, by
// net/http and with nothing around it, until the context ends: no server of this
// kind can be faster.
func ServeConstant(ctx context.Context, listener net.Listener) error {
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		room := bodies.Get().(*[]byte)
		defer bodies.Put(room)
		for { // a server must read what it answers
			if _, err := r.Body.Read(*room); err != nil {
				break
			}
		}
		w.Header()["Content-Type"] = contentType
		io.WriteString(w, constantBody)
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	err := server.Close()
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return err
}

var (
	contentType = []string{"application/json"}
	bodies      = sync.Pool{New: func() any { room := make([]byte, 4096); return &room }}
)

// Ceiling sends the same checks, as Pemba would get them, to a server that
// answers with a constant; what it answers is not compared.
func Ceiling(address string, questions []dataset.Question) (load.Operation, error) {
	h, err := New(&Pemba{Store: "bench"}, address, Access{})
	if err != nil {
		return load.Operation{}, err
	}
	requests, err := encodeAll(h, questions, h.protocol.Check)
	return h.operation("constant answer", 1, requests, func() func(int, []byte) error {
		return func(int, []byte) error { return nil }
	}), err
}
