package client

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Write makes all changes of the request, or none. It is sent again when its
// outcome is not known: the idempotency key, made here where the request has
// none, lets the server know it.
func (s *Store) Write(ctx context.Context, request api.WriteRequest) (api.WriteResponse, error) {
	return s.write(ctx, "/tuples/write", request.IdempotencyKey, request.IdempotencySince, request)
}

// Create writes tuples that must not be there yet.
func (s *Store) Create(ctx context.Context, tuples ...api.Tuple) (api.WriteResponse, error) {
	return s.Write(ctx, operations(api.Create, tuples))
}

// Touch writes tuples whether they are there or not.
func (s *Store) Touch(ctx context.Context, tuples ...api.Tuple) (api.WriteResponse, error) {
	return s.Write(ctx, operations(api.Touch, tuples))
}

// Delete removes tuples; it does not mind those that are not there.
func (s *Store) Delete(ctx context.Context, tuples ...api.Tuple) (api.WriteResponse, error) {
	return s.Write(ctx, operations(api.Delete, tuples))
}

// DeleteTuples removes every tuple that a filter selects, in one change.
func (s *Store) DeleteTuples(ctx context.Context, request api.DeleteRequest) (api.WriteResponse, error) {
	return s.write(ctx, "/tuples/delete", request.IdempotencyKey, request.IdempotencySince, request)
}

func (s *Store) write(ctx context.Context, path, key string, since tuple.Token, body any) (api.WriteResponse, error) {
	made := key == ""
	if made {
		key, since = rand.Text(), s.client.before()
	}
	var out api.WriteResponse
	sent := 0
	send := func() (tuple.Token, error) {
		header := http.Header{api.IdempotencyKey: {key}}
		if since != "" {
			header.Set(api.IdempotencySince, string(since))
		}
		err := s.client.do(ctx, call{method: http.MethodPost, path: s.path(path), body: body, safe: true, header: header, sent: &sent}, &out)
		return out.Token, err
	}
	err := s.change(func() (tuple.Token, error) {
		token, err := send()
		// The cluster behind the address is another one by now, or this client has not
		// written for longer than history is kept. Nothing was written: a key that was
		// sent once cannot be one that was forgotten.
		stale := errors.Is(err, api.ForeignToken) || sent == 1 && errors.Is(err, api.OutcomeUnknownExpired)
		if made && since != "" && stale {
			s.client.seen.Store(nil)
			since = ""
			token, err = send()
		}
		return token, err
	})
	if err != nil {
		return api.WriteResponse{}, err
	}
	if !out.Replayed { // whose token is of the first time
		s.client.seen.Store(&out.Token)
	}
	return out, nil
}

// before returns a token of any moment up to now: the one of the last write. The
// client's first write goes without, and so does one to another cluster.
func (c *Client) before() tuple.Token {
	if token := c.seen.Load(); token != nil {
		return *token
	}
	return ""
}

func operations(op api.Op, tuples []api.Tuple) api.WriteRequest {
	request := api.WriteRequest{Operations: make([]api.Operation, len(tuples))}
	for i, t := range tuples {
		request.Operations[i] = api.Operation{Op: op, Tuple: t}
	}
	return request
}
