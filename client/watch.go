package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// WatchError says why a watch ended, and where: a watch from its token misses
// nothing and repeats nothing, unless Err is api.HistoryExpired.
type WatchError struct {
	Token tuple.Token // of the last event or heartbeat; "": nothing had come
	Err   error
}

// Error returns why the watch ended.
func (e *WatchError) Error() string { return fmt.Sprintf("the watch ended: %v", e.Err) }

// Unwrap returns why the watch ended.
func (e *WatchError) Unwrap() error { return e.Err }

// Watch yields what every revision from the request's token on changes in the
// store, once and in order. Between two revisions it waits; an event without
// changes, Store and Schema is a heartbeat, whose token to keep in its place.
// It goes on by itself, at the same server or another, when a connection breaks
// or a server stops. It ends with a *WatchError: the context's end, what the
// server refuses, or that no server could be reached for Config.WatchPatience.
//
// To follow a store from its present state, read it first and watch from the
// token of that answer. Where errors.Is finds api.HistoryExpired, do so anew.
func (s *Store) Watch(ctx context.Context, request api.WatchRequest) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		w := &watch{store: s, request: request, yield: yield}
		lost := time.Now() // since when nothing came
		for wait := s.client.backoff; ; wait = min(2*wait, longestBackoff) {
			current := s.client.current.Load()
			lines, err := w.once(ctx)
			if w.left {
				return
			}
			if lines > 0 {
				lost, wait = time.Now(), s.client.backoff
			}
			if ctx.Err() != nil || !resumable(err) || time.Since(lost) > s.client.patience {
				yield(api.Event{}, &WatchError{Token: w.request.Token, Err: err})
				return
			}
			s.client.current.CompareAndSwap(current, current+1)
			if err := sleep(ctx, wait/2+rand.N(wait/2+1)); err != nil {
				yield(api.Event{}, &WatchError{Token: w.request.Token, Err: err})
				return
			}
		}
	}
}

// resumable says whether a watch that ended like this can go on elsewhere or later.
func resumable(err error) bool {
	problem := api.AsProblem(err)
	return problem == nil && repeatable(err, true) || problem != nil && (problem.Retry || problem.Code == api.DeadlineExceeded)
}

// watch is one Watch over any number of connections.
type watch struct {
	store   *Store
	request api.WatchRequest // Token moves on
	yield   func(api.Event, error) bool
	left    bool // the caller has had enough
}

// silence is how long a connection may be silent beyond what its server said.
const silence = 5 * time.Second

// once watches over one connection until it ends, and says how many lines came.
func (w *watch) once(ctx context.Context) (lines int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := w.store.client
	path := w.store.path("/watch")
	if query := w.request.Query().Encode(); query != "" {
		path += "?" + query
	}
	address := c.addresses[c.current.Load()%uint64(len(c.addresses))]
	patience := 30 * time.Second // until a heartbeat says better
	quiet := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer quiet.Stop()
	response, err := c.send(ctx, address, call{method: http.MethodGet, path: path, accept: api.NDJSON}, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	dec := jsontext.NewDecoder(response.Body)
	var whole api.Event // the lines of a revision so far
	for ; ; lines++ {
		var line api.WatchLine
		quiet.Reset(patience)
		err := json.UnmarshalDecode(dec, &line)
		quiet.Stop() // the caller may take its time
		switch {
		case errors.Is(err, io.EOF):
			return lines, ErrStreamCut
		case err != nil:
			return lines, fmt.Errorf("%w: %w", ErrStreamCut, cause(ctx, err))
		case line.Problem != nil:
			return lines, line.Problem
		case line.Heartbeat != nil:
			patience = 3*time.Duration(line.Heartbeat.NextMillis)*time.Millisecond + silence
			whole = api.Event{Token: line.Heartbeat.Token}
		case line.Change != nil:
			line.Change.Changes = append(whole.Changes, line.Change.Changes...)
			if whole = *line.Change; whole.More {
				continue
			}
		default:
			return lines, errors.New("the server sent a line that is no change, heartbeat or problem")
		}
		w.request.Token = whole.Token
		if w.left = !w.yield(whole, nil); w.left {
			return lines, nil
		}
		whole = api.Event{}
	}
}

var errSilent = errors.New("the server sent nothing for too long")
