package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/server/api"
)

// readTuples answers POST …/tuples/read: a page of the tuples that a filter
// selects, or all of them as a stream.
func (s *Server) readTuples(w http.ResponseWriter, r *http.Request) error {
	var request api.ReadRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	filter, faults := request.Filter.Filter()
	faults = faults.Under("/filter")
	key := request
	key.Page, key.Consistency = api.Page{}, nil
	p, err := s.page(r, request.Page, request.Consistency, noInstant, key, faults)
	if err != nil {
		return err
	}
	defer p.Close()
	after, err := p.afterTuple()
	if err != nil {
		return err
	}
	next := func(yield func(api.Tuple, string, error) bool) {
		for t, err := range p.Tuples(filter, after) {
			if err == nil && !t.Expires.IsZero() && !t.Expires.After(p.now) {
				continue
			}
			if !yield(api.FromTuple(t), t.Key.String(), err) {
				return
			}
		}
	}
	return answerPage(s, w, r, p, next, func(tuples []api.Tuple, cursor string) any {
		return api.ReadResponse{Tuples: tuples, Cursor: cursor, Evaluated: p.evaluated}
	})
}
