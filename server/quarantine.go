package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
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
	p, err := s.page(r, request.Page, api.Moment{}, key, faults.Under("/filter"))
	if err != nil {
		return err
	}
	defer p.Close()
	after, err := p.afterTuple()
	if err != nil {
		return err
	}
	return answerPage(s, w, r, p, "tuples", body.AppendTuple, tupleEntries(p.Quarantined(filter, after)))
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
