package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// requestID is the header that names a request in the answer and in the log.
const requestID = "X-Request-Id"

// handler is what a route runs. Its error is answered as a problem, unless the
// answer has begun.
type handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP is the door of every request: it bounds it in time and number,
// recovers panics, and logs and counts what came of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	seen := &observed{ResponseWriter: w}
	id := rand.Text()
	seen.Header().Set(requestID, id)
	patience := s.config.RequestTimeout
	if wantsStream(r) {
		patience = s.config.StreamTimeout
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	r = r.WithContext(ctx)
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler { // an answer that had begun is cut off on purpose
			s.observe(r, seen, id, time.Since(started))
			panic(p)
		}
		if p != nil {
			s.metrics.panics.Inc()
			s.config.Logger.Error("a request panicked", "request", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if seen.status != 0 {
				panic(http.ErrAbortHandler) // cut the answer off: its client must not take it for whole
			}
			respondProblem(seen, api.NewProblem(api.Internal, "the request failed inside the server; its log names the request "+id))
		}
		s.observe(r, seen, id, time.Since(started))
	}()
	s.admit(seen, r)
}

// admit runs the request if there is room for it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		respondProblem(w, api.NewProblem(api.Overloaded, fmt.Sprintf("the server works on %d requests already", cap(s.room))))
		return
	}
	route, pattern := s.mux.Handler(r)
	if pattern == "" {
		s.strayed(w, r, route)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// strayed answers a request that no route takes.
func (s *Server) strayed(w http.ResponseWriter, r *http.Request, route http.Handler) {
	probe := &observed{ResponseWriter: discard{header: http.Header{}}}
	route.ServeHTTP(probe, r)
	if allow := probe.Header().Get("Allow"); probe.status == http.StatusMethodNotAllowed && allow != "" {
		w.Header().Set("Allow", allow)
		respondProblem(w, api.NewProblem(api.MethodNotAllowed, fmt.Sprintf("%s is not for %s; it takes %s", tuple.Clip(r.URL.Path), tuple.Clip(r.Method), allow)))
		return
	}
	respondProblem(w, api.NewProblem(api.UnknownRoute, fmt.Sprintf("there is nothing at %s; /openapi.json lists what there is", tuple.Clip(r.URL.Path))))
}

// handle registers a route of the table.
func (s *Server) handle(pattern string, h handler) {
	s.patterns = append(s.patterns, pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		problem := s.problem(r, err)
		if seen, ok := w.(*observed); ok && seen.status != 0 {
			s.config.Logger.Warn("an answer was cut off", "request", w.Header().Get(requestID), "problem", problem.Code)
			panic(http.ErrAbortHandler)
		}
		respondProblem(w, problem)
	})
}

// observe counts a request and logs it: what went well at debug, since a log of
// every check would cost more than the check. It names the route, never the
// query, the headers or the body.
func (s *Server) observe(r *http.Request, seen *observed, id string, took time.Duration) {
	route := r.Pattern
	if route == "" {
		route = "none"
	}
	s.metrics.observe(route, seen.status, took)
	level := slog.LevelDebug
	switch {
	case seen.status >= 500:
		level = slog.LevelWarn
	case seen.status >= 400:
		level = slog.LevelInfo
	}
	if !s.config.Logger.Enabled(r.Context(), level) {
		return
	}
	s.config.Logger.Log(r.Context(), level, "request", "request", id, "method", tuple.Clip(r.Method), "route", route,
		"store", tuple.Clip(r.PathValue("store")), "status", seen.status, "bytes", seen.bytes, "took", took)
}

// observed remembers what was answered.
type observed struct {
	http.ResponseWriter
	status int // 0: nothing yet
	bytes  int64
}

func (o *observed) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(b)
	o.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController find the connection.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

// discard takes an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}
