package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
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
	v := &visit{observed: observed{ResponseWriter: w, id: newRequestID()}, context: deadline{Context: r.Context()}}
	seen, ctx := &v.observed, &v.context
	v.ids[0] = seen.id
	seen.Header()[requestID] = v.ids[:]
	patience := s.config.RequestTimeout
	if wantsStream(r) || isWatch(r) || r.URL.Path == verifyPath || r.URL.Path == backupPath {
		patience = s.config.StreamTimeout
	}
	ctx.at = started.Add(patience)
	defer ctx.end()
	defer func() {
		p := recover()
		if p == http.ErrAbortHandler { // an answer that had begun is cut off on purpose
			s.observe(r, seen, time.Since(started))
			panic(p)
		}
		if p != nil {
			s.metrics.panics.Inc()
			s.config.Logger.Error("a request panicked", "request", seen.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if seen.status != 0 {
				panic(http.ErrAbortHandler) // cut the answer off: its client must not take it for whole
			}
			respondProblem(seen, api.NewProblem(api.Internal, "the request failed inside the server; its log names the request "+seen.id))
		}
		s.observe(r, seen, time.Since(started))
	}()
	s.admit(ctx, seen, r)
}

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// newRequestID makes a name that no other request has. It is no secret.
func newRequestID() string {
	var b [26]byte
	for i := range 2 {
		for bits, j := rand.Uint64(), 0; j < len(b)/2; bits, j = bits>>5, j+1 {
			b[i*len(b)/2+j] = idAlphabet[bits%uint64(len(idAlphabet))]
		}
	}
	return string(b[:])
}

// admit runs the request if there is room for it.
func (s *Server) admit(ctx context.Context, seen *observed, r *http.Request) {
	working, most, does := &s.working, s.config.Requests, "works on %d requests already"
	if isWatch(r) {
		working, most, does = &s.watchers, s.config.Watchers, "gives %d streams of changes already (watchers of /v1/limits); ask another node"
	}
	defer working.Add(-1)
	if working.Add(1) > int64(most) {
		respondProblem(seen, api.NewProblem(api.Overloaded, fmt.Sprintf("the server "+does, most)))
		return
	}
	if s.shortcut(ctx, seen, r) {
		return
	}
	r = r.WithContext(ctx)
	route, pattern := s.mux.Handler(r)
	if pattern == "" {
		s.strayed(seen, r, route)
		return
	}
	s.mux.ServeHTTP(seen, r)
}

// shortcut answers a check or a batch whose path is plain, without the patterns
// of the mux, which cost as much as the check.
func (s *Server) shortcut(ctx context.Context, seen *observed, r *http.Request) bool {
	rest, ok := strings.CutPrefix(r.URL.Path, storesPath)
	if !ok || r.Method != http.MethodPost || r.URL.RawPath != "" {
		return false
	}
	store, below, _ := strings.Cut(rest, "/")
	if store == "" || store == "." || store == ".." { // the mux knows what these mean
		return false
	}
	switch below {
	case "check":
		seen.route, seen.store = s.checkRoute, store
		s.conclude(seen, s.check(ctx, seen, r, store))
		return true
	case "check/batch":
		seen.route, seen.store = s.batchRoute, store
		s.conclude(seen, s.checkBatch(ctx, seen, r, store))
		return true
	}
	return false
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
func (s *Server) handle(pattern string, h handler) *route {
	s.patterns = append(s.patterns, pattern)
	measured := s.metrics.route(pattern)
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		seen := w.(*observed)
		seen.route, seen.store = measured, r.PathValue("store")
		s.conclude(seen, h(seen, r))
	})
	return measured
}

// inStore makes a handler of one that takes the store of the path.
func inStore(h func(ctx context.Context, w http.ResponseWriter, r *http.Request, store string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error { return h(r.Context(), w, r, r.PathValue("store")) }
}

// conclude answers a handler's error.
func (s *Server) conclude(seen *observed, err error) {
	if err == nil {
		return
	}
	problem := s.problem(seen.route.pattern, err)
	if seen.status != 0 {
		s.config.Logger.Warn("an answer was cut off", "request", seen.id, "problem", problem.Code)
		panic(http.ErrAbortHandler)
	}
	respondProblem(seen, problem)
}

// observe counts a request and logs it: what went well at debug, since a log of
// every check would cost more than the check. It names the route, never the
// query, the headers or the body.
func (s *Server) observe(r *http.Request, seen *observed, took time.Duration) {
	if seen.route == nil {
		seen.route = s.noRoute
	}
	s.metrics.observe(seen.route, seen.status, took)
	level := slog.LevelDebug
	switch {
	case seen.status >= 500:
		level = slog.LevelWarn
	case seen.status >= 400:
		level = slog.LevelInfo
	}
	if !s.config.Logger.Enabled(context.Background(), level) {
		return
	}
	s.config.Logger.Log(r.Context(), level, "request", "request", seen.id, "method", tuple.Clip(r.Method), "route", seen.route.pattern,
		"store", tuple.Clip(seen.store), "status", seen.status, "bytes", seen.bytes, "took", took)
}

// visit is what the door holds of a request, in one piece of memory.
type visit struct {
	observed observed
	context  deadline
	ids      [1]string // the header of the id
}

// observed remembers what was asked and answered.
type observed struct {
	http.ResponseWriter
	id     string
	route  *route // nil: none
	store  string // of the path
	status int    // 0: nothing yet
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
