package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// putSchema answers PUT …/schema. The schema is compiled here, where it may take
// its time; what is proposed are its sources and the table that admits tuples,
// and apply never compiles.
func (s *Server) putSchema(w http.ResponseWriter, r *http.Request) error {
	var request api.PutSchemaRequest
	if err := s.readSchema(w, r, &request, &request.SchemaSource); err != nil {
		return err
	}
	if request.Orphans == "" {
		request.Orphans = api.Orphans(r.URL.Query().Get("orphans"))
	}
	made, err := s.compile(r.Context(), request.SchemaSource)
	if err != nil {
		return err
	}
	change := made.change
	if change.Orphans, err = orphans(request.Orphans); err != nil {
		return err
	}
	if change.IfMatch, err = s.schemaMatch(r); err != nil {
		return err
	}
	result, err := s.node.PutSchema(r.Context(), r.PathValue("store"), change)
	if err != nil {
		return err
	}
	response := api.PutSchemaResponse{ETag: etag(result.Digest), Token: result.Token, Changed: !result.Unchanged, Warnings: made.warnings, Files: made.translated}
	for _, shape := range result.Orphans {
		if change.Orphans == command.OrphansDelete {
			response.Deleted += int(shape.Count)
		} else {
			response.Quarantined += int(shape.Count)
		}
	}
	w.Header().Set("ETag", response.ETag)
	return respond(w, http.StatusOK, response)
}

// validateSchema answers POST …/schema/validate: what putSchema would say of the
// schema itself. The store need not have a schema, but it must be there.
func (s *Server) validateSchema(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.node.Store(r.Context(), r.PathValue("store")); err != nil {
		return err
	}
	var source api.SchemaSource
	if err := s.readSchema(w, r, &source, &source); err != nil {
		return err
	}
	made, err := s.compile(r.Context(), source)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, api.ValidateSchemaResponse{Warnings: made.warnings, Files: made.translated})
}

// readSchema reads a schema from JSON, into a request that holds the source, or
// from one file as plain text, whose dialect the query names.
func (s *Server) readSchema(w http.ResponseWriter, r *http.Request, request any, source *api.SchemaSource) error {
	media, err := mediaType(r)
	switch {
	case err != nil:
		return err
	case media == api.JSON:
		_, err = s.decode(w, r, request)
		return err
	case media != api.Text:
		return unsupported(r, api.JSON+" or "+api.Text)
	}
	body, err := s.body(w, r)
	if err != nil {
		return err
	}
	source.Dialect = api.Dialect(r.URL.Query().Get("dialect"))
	source.Files = []api.SchemaFile{{Name: "schema.pemba", Text: string(body)}}
	if source.Dialect != "" && source.Dialect != api.Pemba {
		source.Files[0].Name = "schema." + string(source.Dialect)
	}
	return nil
}

func orphans(wire api.Orphans) (command.Orphans, error) {
	switch wire {
	case "", api.RefuseOrphans:
		return command.OrphansRefuse, nil
	case api.DeleteOrphans:
		return command.OrphansDelete, nil
	case api.IgnoreOrphans:
		return command.OrphansIgnore, nil
	}
	return 0, api.Faults{{Code: api.InvalidValue, Pointer: "/orphans", Message: fmt.Sprintf("there is no way %q with orphans", tuple.Clip(string(wire))),
		Expected: "refuse, delete or ignore"}}.Problem()
}

// schemaMatch reads If-Match and If-None-Match.
func (s *Server) schemaMatch(r *http.Request) (command.SchemaMatch, error) {
	var match command.SchemaMatch
	switch none := r.Header.Get("If-None-Match"); none {
	case "":
	case "*":
		match.None = true
	default:
		return match, api.NewProblem(api.InvalidValue, "the header If-None-Match takes * alone: write only where there is no schema yet")
	}
	switch tag := r.Header.Get("If-Match"); tag {
	case "":
		return match, nil
	case "*":
		snap, err := s.open(r.Context(), r.PathValue("store"), api.Moment{Consistency: api.FullyConsistent()})
		if err != nil {
			return match, err
		}
		defer snap.Close()
		if snap.SchemaRevision() == 0 {
			return match, api.NewProblem(api.SchemaChanged, "If-Match says *, and the store has no schema yet")
		}
		return match, nil
	default:
		digest, err := hex.DecodeString(strings.Trim(tag, `"`))
		// The zero digest would ask apply for any schema at all.
		if err != nil || len(digest) != len(match.Digest) || tag != etag([32]byte(digest)) || [32]byte(digest) == [32]byte{} {
			return match, api.NewProblem(api.SchemaChanged, fmt.Sprintf("If-Match says %s, and no schema has this ETag", tuple.Clip(tag)))
		}
		match.Digest = [32]byte(digest)
		return match, nil
	}
}

// getSchema answers GET …/schema, with ?revision= of the past.
func (s *Server) getSchema(w http.ResponseWriter, r *http.Request) error {
	var when api.Moment
	token := r.URL.Query().Get("revision")
	if token != "" {
		when.Consistency = api.AtExactSnapshot(tuple.Token(token))
	}
	snap, err := s.open(r.Context(), r.PathValue("store"), when)
	if err != nil {
		return err
	}
	defer snap.Close()
	stored, err := snap.StoredSchema()
	if err != nil {
		return err
	}
	if stored == nil && token != "" {
		return api.NewProblem(api.NoSuchSchema, "the store had no schema at this revision")
	}
	if stored == nil {
		return api.NewProblem(api.NoSchema, "the store has no schema yet; write one with PUT …/schema")
	}
	version, _, err := s.version(r, stored)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", version.ETag)
	return respond(w, http.StatusOK, api.SchemaResponse{Files: wireFiles(stored.Command.Files), ETag: version.ETag, Token: version.Token,
		WrittenAt: version.WrittenAt, Dialect: api.Dialect(stored.Command.Dialect), Original: wireFiles(stored.Command.Original)})
}

// version describes a schema; kept is false where history does not reach back to
// when it was written.
func (s *Server) version(r *http.Request, stored *state.StoredSchema) (version api.SchemaVersion, kept bool, err error) {
	version.ETag = etag(stored.Command.Digest())
	if version.Token, err = s.node.Token(stored.Revision); err != nil {
		return version, false, err
	}
	then, err := s.view(r.Context(), r.PathValue("store"), raftstore.AtExactSnapshot(stored.Revision), true)
	if errors.Is(err, raftstore.ErrRevisionUnavailable) {
		return version, false, nil
	}
	if err != nil {
		return version, false, err
	}
	defer then.Close()
	version.WrittenAt = then.LogTime()
	return version, true, nil
}

// maxVersions is the most schemas that one list holds.
const maxVersions = 100

// schemaVersions answers GET …/schema/versions: from the newest schema back, as
// far as history goes.
func (s *Server) schemaVersions(w http.ResponseWriter, r *http.Request) error {
	out := api.SchemaVersionsResponse{Versions: []api.SchemaVersion{}}
	at := raftstore.MinimizeLatency()
	for {
		stored, err := s.schemaAt(r, at, len(out.Versions) > 0)
		if len(out.Versions) > 0 && (isStoreMissing(err) || errors.Is(err, api.HistoryExpired)) {
			break // before the store was made
		}
		if errors.Is(err, raftstore.ErrRevisionUnavailable) {
			out.More = true
			break
		}
		if err != nil {
			return err
		}
		if stored == nil {
			break
		}
		if len(out.Versions) == maxVersions {
			out.More = true
			break
		}
		version, kept, err := s.version(r, stored)
		if err != nil {
			return err
		}
		out.Versions = append(out.Versions, version)
		if out.More = !kept; !kept {
			break
		}
		at = raftstore.AtExactSnapshot(stored.Revision - 1)
	}
	return respond(w, http.StatusOK, out)
}

func (s *Server) schemaAt(r *http.Request, at raftstore.Consistency, past bool) (*state.StoredSchema, error) {
	view, err := s.view(r.Context(), r.PathValue("store"), at, past)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	return view.StoredSchema()
}

func isStoreMissing(err error) bool {
	return errors.Is(err, &command.Rejection{Code: command.CodeStoreNotFound})
}

// etag names a schema by the digest of its sources.
func etag(digest [32]byte) string { return `"` + hex.EncodeToString(digest[:]) + `"` }
