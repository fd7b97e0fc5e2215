package server

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// isWatch says whether a request is for a stream of changes, GET /v1/stores/{store}/watch.
// Such a stream lasts, so it has room and time of its own.
func isWatch(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	rest, ok := strings.CutPrefix(r.URL.Path, storesPath)
	store, found := strings.CutSuffix(rest, "/watch")
	return ok && found && !strings.Contains(store, "/")
}

// watch answers GET …/watch: what every revision from a token on changed in the
// store, once and in order, until the client has had enough.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) error {
	watch, err := s.openWatch(r)
	if err != nil {
		return err
	}
	defer watch.Close()
	if err := lasting(w); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.streams, func() { cancel(errStopping) })()
	out := s.newWatchStream(w, r)
	err = out.run(ctx, watch)
	if r.Context().Err() == context.Canceled || errors.Is(err, errStreamBroken) {
		return nil // nobody listens
	}
	out.end(s.watchProblem(r, err), watch)
	return nil
}

// lasting lifts the deadline of reading the request: a connection that can no longer
// be read ends its answer, too.
func lasting(w http.ResponseWriter) error {
	err := http.NewResponseController(w).SetReadDeadline(time.Time{})
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

var (
	errStopping     = errors.New("this node stops; go on from the last token at another node")
	errStreamBroken = errors.New("the stream cannot be written")
)

// openWatch reads what is asked for and watches it.
func (s *Server) openWatch(r *http.Request) (*raftstore.Watch, error) {
	request, faults := api.ParseWatch(r.URL.Query())
	if last := r.Header.Get("Last-Event-ID"); last != "" { // an EventSource goes on by itself
		request.Token = tuple.Token(last)
	}
	filter, wrong := request.Filter.Filter()
	if err := append(faults, wrong...).Err(); err != nil {
		return nil, err
	}
	var after *tuple.Revision
	if request.Token != "" {
		revision, err := s.node.ParseToken(request.Token)
		if err != nil {
			return nil, tokenProblem("/token", err)
		}
		after = &revision
	}
	store := r.PathValue("store")
	watch, err := s.node.Watch(r.Context(), store, after, filter)
	if errors.Is(err, raftstore.ErrRevisionUnavailable) {
		return nil, goneProblem("the history that is kept begins after the token")
	}
	if err != nil {
		return nil, err
	}
	if err := s.watchable(r, watch, request.Filter, filter); err != nil {
		watch.Close()
		return nil, err
	}
	return watch, nil
}

// watchable refuses a watch of a deleted store beside a new one of its name, and
// a filter that the store's schema could never fill.
func (s *Server) watchable(r *http.Request, watch *raftstore.Watch, wire api.Filter, filter tuple.Filter) error {
	view, err := s.node.View(r.Context(), r.PathValue("store"), raftstore.MinimizeLatency())
	if isStoreMissing(err) {
		return nil // the watch tells of its deletion
	}
	if err != nil {
		return err
	}
	defer view.Close()
	if view.Store() != watch.Store() {
		return goneProblem("the store was deleted and made anew since the token")
	}
	return knownNames(view, wire, filter, "")
}

// goneProblem says that what comes behind a token cannot be given whole.
func goneProblem(message string) error {
	return api.Faults{{Code: api.HistoryExpired, Pointer: "/token", Message: message,
		Suggestion: "read the store anew and watch from the token of that answer"}}.Problem()
}

// watchProblem says why a stream ends.
func (s *Server) watchProblem(r *http.Request, err error) *api.Problem {
	switch {
	case errors.Is(err, errStopping):
		return api.NewProblem(api.NotReady, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return api.NewProblem(api.DeadlineExceeded, "a stream lasts no longer (stream_millis of /v1/limits); go on from the last token")
	case errors.Is(err, raftstore.ErrRevisionUnavailable):
		return api.AsProblem(goneProblem("the stream was read so slowly that the history it is at is no longer kept"))
	case errors.Is(err, raftstore.ErrNotLeader):
		return api.NewProblem(api.NoLeader, "this node has had no leader for a while and may hear of no change; go on from the last token at another node")
	}
	return s.problem(r.Pattern, err)
}

// watchStream writes the lines of a watch, as NDJSON or as server-sent events.
type watchStream struct {
	s   *Server
	w   http.ResponseWriter
	buf *bufio.Writer
	sse bool
}

func (s *Server) newWatchStream(w http.ResponseWriter, r *http.Request) *watchStream {
	o := &watchStream{s: s, w: w, buf: bufio.NewWriterSize(patient{w, nil, s.config.RequestTimeout}, 8<<10), sse: accepts(r, api.EventStream)}
	header := w.Header()
	header.Set("Content-Type", api.NDJSON)
	if o.sse {
		header.Set("Content-Type", api.EventStream)
	}
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Accel-Buffering", "no") // proxies shall pass on each line at once
	w.WriteHeader(http.StatusOK)
	return o
}

// run passes on what the watch gives until one of both ends.
func (o *watchStream) run(ctx context.Context, watch *raftstore.Watch) error {
	if err := o.beat(watch); err != nil { // where the stream begins
		return err
	}
	for {
		e, err := watch.Next(ctx, o.s.config.Heartbeat)
		switch {
		case err != nil:
			return err
		case e == nil:
			err = o.beat(watch)
		default:
			err = o.change(e)
		}
		if err == nil && !watch.Pending() {
			err = o.flush()
		}
		if err != nil {
			return err
		}
	}
}

// beat says how far the stream has come.
func (o *watchStream) beat(watch *raftstore.Watch) error {
	token, err := o.s.node.Token(watch.Position())
	if err != nil {
		return err
	}
	if err := o.line("heartbeat", token, api.Heartbeat{Token: token, NextMillis: o.s.config.Heartbeat.Milliseconds()}); err != nil {
		return err
	}
	return o.flush()
}

// eventChanges is the most changes of one line: a revision may hold millions, and
// its reader need not hold them in one piece.
const eventChanges = 1000

// change writes what a revision changed, in as many lines as it takes. The last
// one alone has the token, so that nobody goes on from the middle.
func (o *watchStream) change(e *raftstore.Effects) error {
	token, err := o.s.node.Token(e.Revision)
	if err != nil {
		return err
	}
	for changes := e.Changes; ; changes = changes[eventChanges:] {
		event := api.Event{Time: e.LogTime, More: len(changes) > eventChanges}
		for _, c := range changes[:min(len(changes), eventChanges)] {
			change := api.TupleChange{Op: api.ChangeOp(c.Op), Tuple: api.FromTuple(c.Tuple)}
			if c.Before != nil {
				before := api.FromTuple(*c.Before)
				change.Before = &before
			}
			event.Changes = append(event.Changes, change)
		}
		if event.More {
			if err := o.line("change", "", event); err != nil {
				return err
			}
			continue
		}
		switch {
		case e.Deleted:
			event.Store = api.StoreWasDeleted
		case e.Created:
			event.Store = api.StoreWasCreated
		}
		event.Token, event.Schema = token, e.Schema
		return o.line("change", token, event)
	}
}

// end says why the stream ends, and from where to go on.
func (o *watchStream) end(problem *api.Problem, watch *raftstore.Watch) {
	if o.beat(watch) == nil && o.line("problem", "", problem) == nil {
		o.flush() // a client that is gone hears nothing
	}
}

// line writes one line of the stream: one member of api.WatchLine.
func (o *watchStream) line(name string, id tuple.Token, item any) error {
	text, err := json.Marshal(item, json.Deterministic(true))
	if err != nil {
		return err
	}
	if o.sse {
		o.buf.WriteString("event: " + name + "\n")
		if id != "" {
			o.buf.WriteString("id: " + string(id) + "\n")
		}
		o.buf.WriteString("data: ")
		o.buf.Write(text)
		_, err = o.buf.WriteString("\n\n")
	} else {
		o.buf.WriteString(`{"` + name + `":`)
		o.buf.Write(text)
		_, err = o.buf.WriteString("}\n")
	}
	return broken(err)
}

func (o *watchStream) flush() error {
	if err := o.buf.Flush(); err != nil {
		return broken(err)
	}
	return broken(http.NewResponseController(o.w).Flush())
}

func broken(err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(errStreamBroken, err)
}
