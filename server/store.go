package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strconv"

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

// listStores answers GET /v1/stores: a page of the stores by name. Every store that
// is there all the while is on one page.
func (s *Server) listStores(w http.ResponseWriter, r *http.Request) error {
	limit, after, err := s.storesPage(r)
	if err != nil {
		return err
	}
	infos, err := s.node.Stores(r.Context())
	if err != nil {
		return err
	}
	behind, _ := slices.BinarySearchFunc(infos, after, func(info raftstore.StoreInfo, after string) int {
		if info.Name <= after {
			return -1
		}
		return 1
	})
	infos = infos[behind:]
	out := api.StoresResponse{Stores: make([]api.Store, 0, min(limit, len(infos)))}
	if len(infos) > limit {
		infos = infos[:limit]
		if out.Cursor, err = s.sealCursor(cursor{Request: storesDigest, After: infos[limit-1].Name}); err != nil {
			return err
		}
	}
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

// storesDigest stands for the request in cursors of the list of stores.
var storesDigest = sha256.Sum256([]byte("GET /v1/stores"))

// storesPage reads which page is asked for.
func (s *Server) storesPage(r *http.Request) (limit int, after string, err error) {
	query := r.URL.Query()
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 || limit > s.limits.PageEntries {
			return 0, "", api.Faults{s.limitFault("limit", tuple.Clip(text))}.Problem()
		}
	}
	if limit == 0 {
		limit = s.limits.DefaultPageEntries
	}
	if sealed := query.Get("cursor"); sealed != "" {
		c, err := s.openCursor(sealed, storesDigest)
		if err != nil {
			return 0, "", err
		}
		after = c.After
	}
	return limit, after, nil
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
