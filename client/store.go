package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Store asks and writes in one store. It may be used by many goroutines at once.
type Store struct {
	client  *Client
	name    string
	session *session // nil: the store of Client.Store, which remembers nothing
}

// Name returns the name of the store.
func (s *Store) Name() string { return s.name }

// Check answers one question.
func (s *Store) Check(ctx context.Context, request api.CheckRequest) (api.CheckResponse, error) {
	return ask[api.CheckResponse](ctx, s, "/check", &request, &request.Consistency)
}

// Allowed asks whether a subject has a permission on an object, and takes only
// allowed for a yes.
func (s *Store) Allowed(ctx context.Context, object, permission, subject string) (bool, error) {
	answer, err := s.Check(ctx, api.CheckRequest{Question: api.Question{Object: object, Permission: permission, Subject: subject}})
	return err == nil && answer.Allowed, err
}

// CheckBatch answers many questions at one revision and instant. Each result is
// an answer or a problem of its own.
func (s *Store) CheckBatch(ctx context.Context, request api.BatchRequest) (api.BatchResponse, error) {
	return ask[api.BatchResponse](ctx, s, "/check/batch", &request, &request.Consistency)
}

// Explain answers a question with the way to the answer.
func (s *Store) Explain(ctx context.Context, request api.CheckRequest) (api.ExplainResponse, error) {
	return ask[api.ExplainResponse](ctx, s, "/explain", &request, &request.Consistency)
}

// Expand returns the tree of usersets that makes up object#permission.
func (s *Store) Expand(ctx context.Context, request api.ExpandRequest) (api.ExpandResponse, error) {
	return ask[api.ExpandResponse](ctx, s, "/expand", &request, &request.Consistency)
}

// LookupObjects returns one page of the objects that the subject has the
// permission on. Objects yields them all.
func (s *Store) LookupObjects(ctx context.Context, request api.LookupObjectsRequest) (api.LookupObjectsResponse, error) {
	return ask[api.LookupObjectsResponse](ctx, s, "/lookup/objects", &request, &request.Consistency)
}

// LookupSubjects returns one page of the subjects that have the permission.
// Subjects yields them all.
func (s *Store) LookupSubjects(ctx context.Context, request api.LookupSubjectsRequest) (api.LookupSubjectsResponse, error) {
	return ask[api.LookupSubjectsResponse](ctx, s, "/lookup/subjects", &request, &request.Consistency)
}

// LookupPermissions returns one page of the permissions that the subject has on
// the object. Permissions yields them all.
func (s *Store) LookupPermissions(ctx context.Context, request api.LookupPermissionsRequest) (api.LookupPermissionsResponse, error) {
	return ask[api.LookupPermissionsResponse](ctx, s, "/lookup/permissions", &request, &request.Consistency)
}

// ReadTuples returns one page of the tuples that a filter selects. Tuples yields
// them all.
func (s *Store) ReadTuples(ctx context.Context, request api.ReadRequest) (api.ReadResponse, error) {
	return ask[api.ReadResponse](ctx, s, "/tuples/read", &request, &request.Consistency)
}

// ask sends a question, which may be sent again. The consistency is the one
// inside of the body, for freshen; nil where the question has none.
func ask[Out any](ctx context.Context, s *Store, path string, body any, consistency **api.Consistency) (Out, error) {
	s.freshen(consistency)
	var out Out
	err := s.client.do(ctx, call{method: http.MethodPost, path: s.path(path), body: body, safe: true}, &out)
	if err != nil {
		var zero Out // what was half read denies, too
		return zero, err
	}
	return out, nil
}

func (s *Store) path(below string) string {
	return api.Prefix + "/stores/" + url.PathEscape(s.name) + below
}

// freshen gives a request without a consistency of its own the session's.
func (s *Store) freshen(consistency **api.Consistency) {
	if s.session == nil || consistency == nil || *consistency != nil {
		return
	}
	if token := s.session.get(); token != tuple.Token("") {
		*consistency = api.AtLeastAsFresh(token)
	}
}
