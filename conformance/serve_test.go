package conformance

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/server/api"
)

// serve starts one server for all cases and returns what makes a fresh store of it.
func serve(t *testing.T) func(t *testing.T) target {
	c := pembatest.Start(t).Client
	var count atomic.Int64
	return func(t *testing.T) target {
		name := fmt.Sprintf("case-%d", count.Add(1))
		if _, err := c.PutStore(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		return remote{c.Store(name).Session()}
	}
}

// remote is a store behind the HTTP surface. It is a session, so that every
// answer is at least as fresh as the last write.
type remote struct{ store *client.Store }

func (r remote) putSchema(ctx context.Context, request api.PutSchemaRequest) error {
	_, err := r.store.PutSchema(ctx, request)
	return err
}

func (r remote) write(ctx context.Context, operations []api.Operation) error {
	_, err := r.store.Write(ctx, api.WriteRequest{Operations: operations})
	return err
}

func (r remote) check(ctx context.Context, request api.CheckRequest) (api.Answer, error) {
	response, err := r.store.Check(ctx, request)
	return response.Answer, err
}

// objects pages through a lookup by small pages, so that cursors are tried as well.
func (r remote) objects(ctx context.Context, request api.LookupObjectsRequest) ([]api.FoundObject, error) {
	var all []api.FoundObject
	request.Limit = pageSize
	for {
		page, err := r.store.LookupObjects(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Objects...)
		if request.Cursor = page.Cursor; request.Cursor == "" {
			return all, nil
		}
	}
}

func (r remote) subjects(ctx context.Context, request api.LookupSubjectsRequest) ([]api.FoundSubject, error) {
	var all []api.FoundSubject
	request.Limit = pageSize
	for {
		page, err := r.store.LookupSubjects(ctx, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Subjects...)
		if request.Cursor = page.Cursor; request.Cursor == "" {
			return all, nil
		}
	}
}

// pageSize is the number of entries that a lookup asks for at once.
const pageSize = 7
