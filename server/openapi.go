package server

import (
	_ "embed"
	"net/http"

	"github.com/pemba-authz/pemba/server/api"
)

// openapiDocument describes the surface. A test compares it with the routes and
// with the types of package api.
//
//go:embed openapi.json
var openapiDocument []byte

// openapi answers GET /openapi.json.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	write(w, http.StatusOK, api.JSON, openapiDocument[:len(openapiDocument):len(openapiDocument)])
	return nil
}
