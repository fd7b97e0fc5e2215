package server

import (
	"crypto/sha256"
	"fmt"
	"net/http"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// writeTuples answers POST …/tuples/write. Everything that hangs on the store
// (the schema, what is there, preconditions) is judged where the write is
// applied, by the same rules on every node; here only its form is.
func (s *Server) writeTuples(w http.ResponseWriter, r *http.Request) error {
	var request api.WriteRequest
	body, err := s.decode(w, r, &request)
	if err != nil {
		return err
	}
	change, faults := s.operations(request.Operations)
	change.Preconditions = s.preconditions(request.Preconditions, &faults)
	if len(request.Operations) == 0 {
		faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: "/operations", Message: "there is nothing to write",
			Expected: "at least one operation"})
	}
	return s.write(w, r, change, body, faults)
}

// deleteTuples answers POST …/tuples/delete: all that a filter selects, at once.
func (s *Server) deleteTuples(w http.ResponseWriter, r *http.Request) error {
	var request api.DeleteRequest
	body, err := s.decode(w, r, &request)
	if err != nil {
		return err
	}
	filter, faults := deleteFilter(request.Filter, request.All)
	change := raftstore.WriteRequest{DeleteFilter: &filter}
	change.Preconditions = s.preconditions(request.Preconditions, &faults)
	return s.write(w, r, change, body, faults)
}

// deleteFilter reads the filter of a deletion; one that selects everything must say so.
func deleteFilter(wire api.Filter, all bool) (tuple.Filter, api.Faults) {
	filter, faults := wire.Filter()
	faults = faults.Under("/filter")
	if len(faults) == 0 && filter.IsZero() != all {
		faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: "/all",
			Message:    "an empty filter selects every tuple of the store, and only it goes with \"all\": true",
			Suggestion: "narrow the filter, or say \"all\": true beside an empty one"})
	}
	return filter, faults
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, change raftstore.WriteRequest, body []byte, faults api.Faults) error {
	var err error
	if change.IdempotencyKey, err = idempotencyKey(r); err != nil {
		return err
	}
	if err := faults.Err(); err != nil {
		return err
	}
	if change.FirstTried, err = s.idempotencySince(r); err != nil {
		return err
	}
	if change.IdempotencyKey != "" {
		change.BodyDigest = sha256.Sum256(append([]byte(r.Pattern+"\n"), body...))
	}
	result, err := s.node.Write(r.Context(), r.PathValue("store"), change)
	if err != nil {
		return err
	}
	s.lane.short.Add(1)
	return respond(w, http.StatusOK, written(result))
}

func written(result raftstore.WriteResult) api.WriteResponse {
	return api.WriteResponse{Token: result.Token, Written: int(result.Created + result.Updated), Deleted: int(result.Deleted), Replayed: result.Replayed}
}

// idempotencyKey reads the header: 1 to 128 printable characters of ASCII.
func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values(api.IdempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	good := len(values) == 1 && len(key) >= 1 && len(key) <= 128
	for _, c := range []byte(key) {
		good = good && c > ' ' && c < 0x7f
	}
	if !good {
		return "", api.NewProblem(api.InvalidValue, "the header "+api.IdempotencyKey+" must stand once and hold 1 to 128 printable ASCII characters without space")
	}
	return key, nil
}

// idempotencySince reads the header: a token from before the first try.
func (s *Server) idempotencySince(r *http.Request) (tuple.Revision, error) {
	values := r.Header.Values(api.IdempotencySince)
	if len(values) == 0 {
		return 0, nil
	}
	if len(values) > 1 {
		return 0, api.NewProblem(api.InvalidValue, "the header "+api.IdempotencySince+" must stand once")
	}
	revision, err := s.node.ParseToken(tuple.Token(values[0]))
	if err != nil {
		return 0, err
	}
	return revision, nil
}

var ops = map[api.Op]command.Op{api.Create: command.Create, api.Touch: command.Touch, api.Delete: command.Delete}

// operations reads the operations of a write; no two may name the same tuple.
func (s *Server) operations(wire []api.Operation) (raftstore.WriteRequest, api.Faults) {
	if len(wire) > s.limits.WriteOperations {
		return raftstore.WriteRequest{}, api.Faults{tooMany("/operations", "operations", len(wire), s.limits.WriteOperations, "write_operations")}
	}
	var faults api.Faults
	list := make([]raftstore.Operation, 0, len(wire))
	first := make(map[tuple.Key]int, len(wire))
	for i, operation := range wire {
		pointer := "/operations/" + itoa(i)
		op, ok := ops[operation.Op]
		if !ok {
			faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: pointer + "/op",
				Message: fmt.Sprintf("there is no operation %q", tuple.Clip(string(operation.Op))), Expected: "create, touch or delete"})
		}
		t, wrong := operation.Tuple.Tuple()
		faults = append(faults, wrong.Under(pointer)...)
		if len(wrong) > 0 {
			continue
		}
		if at, twice := first[t.Key]; twice {
			faults = append(faults, api.Fault{Code: api.DuplicateTuple, Pointer: pointer,
				Message: fmt.Sprintf("%s is named by operation %d already", t.Key, at), Suggestion: "keep the one that is meant"})
			continue
		}
		first[t.Key] = i
		list = append(list, raftstore.Operation{Op: op, Tuple: t})
	}
	if len(faults) > maxFaults {
		faults = faults[:maxFaults]
	}
	return raftstore.WriteRequest{Operations: list}, faults
}

var musts = map[api.Must]command.Must{api.Match: command.Match, api.NotMatch: command.NotMatch, api.Unchanged: command.Unchanged}

// preconditions reads preconditions and appends their faults.
func (s *Server) preconditions(wire []api.Precondition, faults *api.Faults) []raftstore.Precondition {
	if len(wire) > s.limits.Preconditions {
		*faults = append(*faults, tooMany("/preconditions", "preconditions", len(wire), s.limits.Preconditions, "preconditions"))
		return nil
	}
	list := make([]raftstore.Precondition, 0, len(wire))
	for i, p := range wire {
		pointer := "/preconditions/" + itoa(i)
		out := raftstore.Precondition{Must: musts[p.Must]}
		if out.Must == 0 {
			*faults = append(*faults, api.Fault{Code: api.InvalidValue, Pointer: pointer + "/must",
				Message: fmt.Sprintf("there is no demand %q", tuple.Clip(string(p.Must))), Expected: "match, not_match or unchanged"})
		}
		var wrong api.Faults
		out.Filter, wrong = p.Filter.Filter()
		*faults = append(*faults, wrong.Under(pointer+"/filter")...)
		switch {
		case out.Must == command.Unchanged:
			revision, err := s.node.ParseToken(p.Since)
			if err != nil {
				*faults = append(*faults, api.Fault{Code: api.InvalidToken, Pointer: pointer + "/since", Message: err.Error()})
			}
			out.Since = revision
		case p.Since != "":
			*faults = append(*faults, api.Fault{Code: api.InvalidValue, Pointer: pointer + "/since",
				Message: "only unchanged has a since", Suggestion: "leave it out"})
		}
		list = append(list, out)
	}
	return list
}
