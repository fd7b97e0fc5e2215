package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// PutSchema replaces the schema of the store. A schema with errors is an
// *api.Problem whose Errors hold all of them, each with its place.
func (s *Store) PutSchema(ctx context.Context, request api.PutSchemaRequest) (api.PutSchemaResponse, error) {
	header := http.Header{}
	if request.IfMatch != "" {
		header.Set("If-Match", request.IfMatch)
	}
	var out api.PutSchemaResponse
	err := s.change(func() (tuple.Token, error) {
		err := s.client.do(ctx, call{method: http.MethodPut, path: s.path("/schema"), body: request, safe: true, header: header}, &out)
		return out.Token, err
	})
	if err != nil {
		return api.PutSchemaResponse{}, err
	}
	return out, nil
}

// Schema returns the schema at a token's revision; an empty token is now.
func (s *Store) Schema(ctx context.Context, at tuple.Token) (api.SchemaResponse, error) {
	path := s.path("/schema")
	if at != "" {
		path += "?revision=" + url.QueryEscape(string(at))
	}
	return get[api.SchemaResponse](ctx, s.client, path)
}

// SchemaVersions lists the schemas that the store has and had, the newest first.
func (s *Store) SchemaVersions(ctx context.Context) (api.SchemaVersionsResponse, error) {
	return get[api.SchemaVersionsResponse](ctx, s.client, s.path("/schema/versions"))
}

// ValidateSchema compiles a schema as PutSchema would, and writes nothing.
func (s *Store) ValidateSchema(ctx context.Context, source api.SchemaSource) (api.ValidateSchemaResponse, error) {
	return ask[api.ValidateSchemaResponse](ctx, s, "/schema/validate", source, nil)
}

// DiffSchema says what PutSchema of the same schema would change: the meaning,
// the tuples that it would orphan and, with Impact, the decisions that would flip.
// It writes nothing.
func (s *Store) DiffSchema(ctx context.Context, request api.DiffSchemaRequest) (api.DiffSchemaResponse, error) {
	return ask[api.DiffSchemaResponse](ctx, s, "/schema/diff", &request, &request.Consistency)
}

// ReadQuarantined returns one page of the tuples that a later schema did not
// admit. Quarantined yields them all.
func (s *Store) ReadQuarantined(ctx context.Context, request api.QuarantinedRequest) (api.QuarantinedResponse, error) {
	return ask[api.QuarantinedResponse](ctx, s, "/tuples/quarantined/read", request, nil)
}

// DeleteQuarantined removes those quarantined tuples for good that a filter
// selects.
func (s *Store) DeleteQuarantined(ctx context.Context, request api.DeleteQuarantinedRequest) (api.WriteResponse, error) {
	return s.write(ctx, "/tuples/quarantined/delete", "", "", request)
}

func get[Out any](ctx context.Context, c *Client, path string) (Out, error) {
	var out Out
	if err := c.do(ctx, call{method: http.MethodGet, path: path, safe: true}, &out); err != nil {
		var zero Out
		return zero, err
	}
	return out, nil
}
