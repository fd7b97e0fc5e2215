package server

import (
	"context"
	"fmt"
	"net/http"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// putStore answers PUT /v1/stores/{store}; it is idempotent.
func (s *Server) putStore(w http.ResponseWriter, r *http.Request) error {
	index, err := s.storeIndex(w, r)
	if err != nil {
		return err
	}
	info, err := s.node.PutStoreIndexed(r.Context(), r.PathValue("store"), index)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if info.New {
		status = http.StatusCreated
	}
	token, err := s.node.Token(info.Created)
	if err != nil {
		return err
	}
	created := api.Store{Name: info.Name, CreatedAt: info.CreatedAt, Index: api.StoreIndex(info.Index.String())} // a new one is empty, and this node may not know it yet
	if !info.New {
		if created, err = s.describe(r.Context(), info); err != nil {
			return err
		}
	}
	return respond(w, status, api.PutStoreResponse{Store: created, Created: info.New, Token: token})
}

// storeIndex reads the body of a new store, if it has one.
func (s *Server) storeIndex(w http.ResponseWriter, r *http.Request) (command.StoreIndex, error) {
	if r.ContentLength == 0 {
		return command.IndexUnsaid, nil
	}
	var request api.PutStoreRequest
	if _, err := s.decode(w, r, &request); err != nil {
		return 0, err
	}
	switch request.Index {
	case "":
		return command.IndexUnsaid, nil
	case api.IndexMemory:
		return command.IndexMemory, nil
	case api.IndexDisk:
		return command.IndexDisk, nil
	}
	return 0, api.Faults{{Code: api.InvalidValue, Pointer: "/index", Message: fmt.Sprintf("there is no index %q", tuple.Clip(string(request.Index))),
		Expected: "memory or disk"}}.Problem()
}

// getStore answers GET /v1/stores/{store}.
func (s *Server) getStore(w http.ResponseWriter, r *http.Request) error {
	info, err := s.node.Store(r.Context(), r.PathValue("store"))
	if err != nil {
		return err
	}
	store, err := s.describe(r.Context(), info)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, store)
}

// listStores answers GET /v1/stores.
func (s *Server) listStores(w http.ResponseWriter, r *http.Request) error {
	infos, err := s.node.Stores(r.Context())
	if err != nil {
		return err
	}
	out := api.StoresResponse{Stores: make([]api.Store, 0, len(infos))}
	for _, info := range infos {
		store, err := s.describe(r.Context(), info)
		if isStoreMissing(err) {
			continue // deleted since
		}
		if err != nil {
			return err
		}
		out.Stores = append(out.Stores, store)
	}
	return respond(w, http.StatusOK, out)
}

// deleteStore answers DELETE /v1/stores/{store}.
func (s *Server) deleteStore(w http.ResponseWriter, r *http.Request) error {
	result, err := s.node.DeleteStore(r.Context(), r.PathValue("store"))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, api.DeleteStoreResponse{Token: result.Token})
}

// describe says what is known of a store, its tuples and its schema at the newest
// revision that this node has applied.
func (s *Server) describe(ctx context.Context, info raftstore.StoreInfo) (api.Store, error) {
	out := api.Store{Name: info.Name, CreatedAt: info.CreatedAt, Index: api.StoreIndex(info.Index.String())}
	view, err := s.node.View(ctx, info.Name, raftstore.MinimizeLatency())
	if err != nil {
		return out, err
	}
	defer view.Close()
	counts, err := view.Counts()
	if err != nil {
		return out, err
	}
	stored, err := view.StoredSchema()
	if err != nil {
		return out, err
	}
	out.Tuples, out.Quarantined, out.Schema = int64(counts.Live), int64(counts.Quarantined), stored != nil
	if stored != nil {
		out.SchemaETag = etag(stored.Command.Digest())
	}
	return out, nil
}
