package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/server/api"
)

// ErrStreamCut says that a stream stopped before its end: what it yielded is
// only part of the answer.
var ErrStreamCut = errors.New("the stream was cut off: what it yielded is only part of the answer")

// Objects yields every object that the subject has the permission on. An error
// ends the sequence, and only a sequence without one is the whole answer.
func (s *Store) Objects(ctx context.Context, request api.LookupObjectsRequest) iter.Seq2[api.FoundObject, error] {
	return stream[api.FoundObject](ctx, s, "/lookup/objects", &request, &request.Consistency)
}

// Subjects yields every subject that has the permission; see Objects.
func (s *Store) Subjects(ctx context.Context, request api.LookupSubjectsRequest) iter.Seq2[api.FoundSubject, error] {
	return stream[api.FoundSubject](ctx, s, "/lookup/subjects", &request, &request.Consistency)
}

// Permissions yields every permission that the subject has on the object; see
// Objects.
func (s *Store) Permissions(ctx context.Context, request api.LookupPermissionsRequest) iter.Seq2[api.FoundPermission, error] {
	return stream[api.FoundPermission](ctx, s, "/lookup/permissions", &request, &request.Consistency)
}

// Tuples yields every tuple that a filter selects, in the order of their keys;
// see Objects.
func (s *Store) Tuples(ctx context.Context, request api.ReadRequest) iter.Seq2[api.Tuple, error] {
	return stream[api.Tuple](ctx, s, "/tuples/read", &request, &request.Consistency)
}

// Quarantined yields every tuple that a later schema did not admit; see Objects.
func (s *Store) Quarantined(ctx context.Context, request api.QuarantinedRequest) iter.Seq2[api.Tuple, error] {
	return stream[api.Tuple](ctx, s, "/tuples/quarantined/read", request, nil)
}

// stream is ask for NDJSON: it yields the lines up to the end that says all is there.
func stream[T any](ctx context.Context, s *Store, path string, body any, consistency **api.Consistency) iter.Seq2[T, error] {
	s.freshen(consistency)
	return func(yield func(T, error) bool) {
		var zero T
		ctx, cancel := context.WithCancel(ctx) // whoever stops early frees the connection
		defer cancel()
		response, err := s.client.open(ctx, call{method: http.MethodPost, path: s.path(path), body: body, safe: true, accept: api.NDJSON})
		if err != nil {
			yield(zero, err)
			return
		}
		defer response.Body.Close()
		dec := jsontext.NewDecoder(response.Body)
		for {
			line, err := dec.ReadValue()
			if err != nil {
				yield(zero, fmt.Errorf("%w: %w", ErrStreamCut, cause(ctx, err)))
				return
			}
			if ends, err := ending(dec, line); ends {
				if err != nil {
					yield(zero, err)
				}
				return
			}
			var item T
			if err := json.Unmarshal(line, &item); err != nil {
				yield(zero, fmt.Errorf("reading a line of the stream: %w", err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// ending says whether the line is the last one, and with which error.
func ending(dec *jsontext.Decoder, line jsontext.Value) (bool, error) {
	var last api.StreamEnd
	if err := json.Unmarshal(line, &last); err != nil || last.End == nil && last.Problem == nil {
		return false, nil
	}
	if last.Problem != nil {
		return true, last.Problem
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return true, fmt.Errorf("%w: something follows its end", ErrStreamCut)
	}
	return true, nil
}
