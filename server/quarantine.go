package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// readQuarantined answers POST …/tuples/quarantined/read: the tuples that a later
// schema did not admit. They are kept, and never walked.
func (s *Server) readQuarantined(w http.ResponseWriter, r *http.Request) error {
	var request api.QuarantinedRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	filter, faults := request.Filter.Filter()
	key := request
	key.Page = api.Page{}
	p, err := s.page(r, request.Page, nil, noInstant, key, faults.Under("/filter"))
	if err != nil {
		return err
	}
	defer p.Close()
	after, err := p.afterTuple()
	if err != nil {
		return err
	}
	next := func(yield func(api.Tuple, string, error) bool) {
		for t, err := range p.Quarantined(filter, after) {
			if !yield(api.FromTuple(t), t.Key.String(), err) {
				return
			}
		}
	}
	return answerPage(s, w, r, p, next, func(tuples []api.Tuple, cursor string) any {
		return api.QuarantinedResponse{Tuples: tuples, Cursor: cursor, Evaluated: p.evaluated}
	})
}

// deleteQuarantined answers POST …/tuples/quarantined/delete. It is idempotent by
// nature: deleting again deletes nothing.
func (s *Server) deleteQuarantined(w http.ResponseWriter, r *http.Request) error {
	var request api.DeleteQuarantinedRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	filter, faults := deleteFilter(request.Filter, request.All)
	if err := faults.Err(); err != nil {
		return err
	}
	result, err := s.node.ResolveQuarantine(r.Context(), r.PathValue("store"), command.ResolveQuarantine{Filter: filter})
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, written(result))
}

// afterTuple is the last tuple of the page before; nil for the first page.
func (p *page) afterTuple() (*tuple.Key, error) {
	if p.after == "" {
		return nil, nil
	}
	last, err := tuple.ParseKey(p.after)
	return &last, err
}
