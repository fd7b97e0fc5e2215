package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/pemba-authz/pemba/server/api"
)

// Opening answers on a node's listener while the node is opened, which takes
// seconds where there is much data. A connection that is accepted and not answered
// would hold its client up for as long, and who asks whether the process lives
// would take it for dead.
type Opening struct {
	web     *http.Server
	lent    *lentListener
	stopped chan struct{} // closed when nothing more is accepted
	open    atomic.Int64  // connections
}

// Open answers on a listener until End.
func Open(listener *net.TCPListener, config Config) *Opening {
	config = config.withDefaults()
	o := &Opening{lent: &lentListener{TCPListener: listener}, stopped: make(chan struct{}), web: &http.Server{
		Handler:           http.HandlerFunc(notYet),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		MaxHeaderBytes:    config.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(config.Logger.Handler(), slog.LevelDebug),
	}}
	o.web.SetKeepAlivesEnabled(false) // the next request of a client is the node's
	o.web.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			o.open.Add(1)
		case http.StateClosed:
			o.open.Add(-1)
		}
	}
	accepting := bound(o.lent, config.Connections)
	if config.TLS != nil {
		accepting = tls.NewListener(accepting, config.TLS)
	}
	go func() { // ends with End
		defer close(o.stopped)
		o.web.Serve(accepting)
	}()
	return o
}

// End leaves the listener to its owner, open. The caller calls what it returns,
// which waits for the answers that are under way, not for long. Shutdown would not:
// it drops requests that are being read.
func (o *Opening) End() (wait func()) {
	o.lent.Close()
	<-o.stopped
	o.lent.SetDeadline(time.Time{})
	return func() {
		for began := time.Now(); o.open.Load() > 0 && time.Since(began) < time.Second; {
			time.Sleep(time.Millisecond)
		}
		o.web.Close()
	}
}

func notYet(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/healthz" {
		respond(w, http.StatusOK, api.Health{Status: "ok"})
		return
	}
	respondProblem(w, api.NewProblem(api.NotReady, "the node still opens its data; ask another node"))
}

// lentListener is a listener that is not the server's to close: Close ends Accept.
type lentListener struct {
	*net.TCPListener
	back atomic.Bool
}

func (l *lentListener) Accept() (net.Conn, error) {
	conn, err := l.TCPListener.Accept()
	if err != nil && l.back.Load() {
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close may be called more than once.
func (l *lentListener) Close() error {
	if l.back.Swap(true) {
		return nil
	}
	return l.SetDeadline(time.Unix(1, 0))
}
