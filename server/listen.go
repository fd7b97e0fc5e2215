package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve answers on the listener until the context ends, then lets the requests
// at work finish for a while; streams of changes end at once, each with the token
// to go on from elsewhere. It closes the listener. A nil error means that the
// context ended it.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	defer context.AfterFunc(ctx, s.endStreams)()
	listener = bound(listener, s.config.Connections)
	if s.config.TLS != nil {
		listener = tls.NewListener(listener, s.config.TLS) // shaken hands on by the goroutine of the connection, within ReadHeaderTimeout
	}
	return s.serve(ctx, listener, s.Handler(), s.config.RequestTimeout)
}

// ServeMetrics answers GET /metrics on a listener of its own, which is not for
// everyone to reach.
func (s *Server) ServeMetrics(ctx context.Context, listener net.Listener) error {
	return s.serve(ctx, listener, s.metrics.handler(), 10*time.Second)
}

func (s *Server) serve(ctx context.Context, listener net.Listener, handler http.Handler, patience time.Duration) error {
	web := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       s.config.RequestTimeout + 10*time.Second,
		WriteTimeout:      s.config.RequestTimeout + 20*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    s.config.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan error, 1)
	go func() { stopped <- web.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err := web.Shutdown(patient)
	if err != nil {
		err = errors.Join(err, web.Close())
	}
	<-stopped
	return err
}

// bound lets at most n connections be open at once; further ones wait in the
// system's queue.
func bound(listener net.Listener, n int) net.Listener {
	return &boundListener{Listener: listener, open: make(chan struct{}, n), closed: make(chan struct{})}
}

type boundListener struct {
	net.Listener
	open   chan struct{} // holds one element per open connection
	closed chan struct{}
	once   sync.Once // closes closed
}

func (l *boundListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &boundConn{Conn: newLazyConn(conn), release: func() { <-l.open }}, nil
}

func (l *boundListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *boundConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}
