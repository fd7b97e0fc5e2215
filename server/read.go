package server

import (
	"iter"
	"net/http"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// readTuples answers POST …/tuples/read: a page of the tuples that a filter
// selects, or all of them as a stream.
func (s *Server) readTuples(w http.ResponseWriter, r *http.Request) error {
	var request api.ReadRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return err
	}
	filter, faults := request.Filter.Filter()
	key := request
	key.Page, key.Consistency = api.Page{}, nil
	p, err := s.page(r, request.Page, api.Moment{Consistency: request.Consistency}, key, faults.Under("/filter"))
	if err != nil {
		return err
	}
	defer p.Close()
	if err := knownNames(p.View, request.Filter, filter, "/filter"); err != nil {
		return err
	}
	after, err := p.afterTuple()
	if err != nil {
		return err
	}
	return answerPage(s, w, r, p, "tuples", body.AppendTuple, tupleEntries(unexpired(p.Tuples(filter, after), p.now)))
}

// knownNames refuses a filter with a name that the schema of the view's revision
// lacks; its members lie under pointer. For writes, apply does the same.
func knownNames(v *raftstore.View, wire api.Filter, filter tuple.Filter, pointer string) error {
	module, err := v.Module()
	if err != nil || module == nil {
		return err
	}
	refusal := module.Admitter.AdmitFilter(filter)
	if refusal == nil {
		return nil
	}
	field := refusal.Field
	switch { // where object or subject names it whole, that is the place
	case field == "object_type" && wire.Object != "":
		field = "object"
	case wire.Subject != "" && (field == "subject_type" || field == "subject_relation"):
		field = "subject"
	}
	return api.Faults{{Code: refusals[refusal.Code], Pointer: pointer + "/" + field, Message: refusal.Message, Suggestion: refusal.Suggestion}}.Problem()
}

// unexpired leaves out the tuples that have expired at the instant.
func unexpired(tuples iter.Seq2[tuple.Tuple, error], now time.Time) iter.Seq2[tuple.Tuple, error] {
	return func(yield func(tuple.Tuple, error) bool) {
		for t, err := range tuples {
			if err == nil && !t.Expires.IsZero() && !t.Expires.After(now) {
				continue
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// tupleEntries gives the tuples of a page their wire form, and each its key for
// the cursor.
func tupleEntries(tuples iter.Seq2[tuple.Tuple, error]) func(yield func(api.Tuple, string, error) bool) {
	return func(yield func(api.Tuple, string, error) bool) {
		for t, err := range tuples {
			if !yield(api.FromTuple(t), t.Key.String(), err) {
				return
			}
		}
	}
}

// afterTuple is the last tuple of the page before; nil for the first page.
func (p *page) afterTuple() (*tuple.Key, error) {
	if p.after == "" {
		return nil, nil
	}
	last, err := tuple.ParseKey(p.after)
	return &last, err
}
