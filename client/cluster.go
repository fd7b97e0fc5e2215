package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pemba-authz/pemba/server/api"
)

// PutStore creates a store, or finds it there.
func (c *Client) PutStore(ctx context.Context, name string) (api.PutStoreResponse, error) {
	return c.PutStoreIndexed(ctx, name, "")
}

// PutStoreIndexed is PutStore for a store whose graph is read where index says.
// What is there with another index is the problem store_index_differs.
func (c *Client) PutStoreIndexed(ctx context.Context, name string, index api.StoreIndex) (api.PutStoreResponse, error) {
	var out api.PutStoreResponse
	put := call{method: http.MethodPut, path: storePath(name), safe: true}
	if index != "" {
		put.body = api.PutStoreRequest{Index: index}
	}
	if err := c.do(ctx, put, &out); err != nil {
		return api.PutStoreResponse{}, err
	}
	return out, nil
}

// GetStore returns what is known of a store.
func (c *Client) GetStore(ctx context.Context, name string) (api.Store, error) {
	return get[api.Store](ctx, c, storePath(name))
}

// Stores lists all stores by name, page by page.
func (c *Client) Stores(ctx context.Context) (api.StoresResponse, error) {
	all := api.StoresResponse{Stores: []api.Store{}}
	for cursor := ""; ; {
		page, err := c.StoresPage(ctx, 0, cursor)
		if err != nil {
			return api.StoresResponse{}, err
		}
		all.Stores = append(all.Stores, page.Stores...)
		if cursor = page.Cursor; cursor == "" {
			return all, nil
		}
	}
}

// StoresPage returns one page of the stores by name: limit of them at most, 0 is
// as many as the server likes, behind those of the page that the cursor came with.
func (c *Client) StoresPage(ctx context.Context, limit int, cursor string) (api.StoresResponse, error) {
	query := url.Values{}
	if limit != 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	path := api.Prefix + "/stores"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return get[api.StoresResponse](ctx, c, path)
}

// DeleteStore deletes a store with all that is in it. It is not sent again when
// its outcome is unknown: a store of that name may have been created since.
func (c *Client) DeleteStore(ctx context.Context, name string) (api.DeleteStoreResponse, error) {
	var out api.DeleteStoreResponse
	if err := c.do(ctx, call{method: http.MethodDelete, path: storePath(name)}, &out); err != nil {
		return api.DeleteStoreResponse{}, err
	}
	return out, nil
}

// Limits returns the bounds of the server.
func (c *Client) Limits(ctx context.Context) (api.Limits, error) {
	return get[api.Limits](ctx, c, api.Prefix+"/limits")
}

// Cluster returns the state of the cluster as the asked node sees it.
func (c *Client) Cluster(ctx context.Context) (api.Cluster, error) {
	return get[api.Cluster](ctx, c, api.Prefix+"/cluster")
}

// VerifyCluster makes every member recount all of its data at one revision and
// compares them: VerifyResponse.Equal is what came of it. It takes as long as a
// member needs to read everything.
func (c *Client) VerifyCluster(ctx context.Context) (api.VerifyResponse, error) {
	var out api.VerifyResponse
	if err := c.do(ctx, call{method: http.MethodPost, path: api.Prefix + "/cluster/verify", safe: true}, &out); err != nil {
		return api.VerifyResponse{}, err
	}
	return out, nil
}

// RemoveMember takes a node out of the cluster.
func (c *Client) RemoveMember(ctx context.Context, id string) (api.Cluster, error) {
	var out api.Cluster
	path := api.Prefix + "/cluster/members/" + url.PathEscape(id)
	if err := c.do(ctx, call{method: http.MethodDelete, path: path}, &out); err != nil {
		return api.Cluster{}, err
	}
	return out, nil
}

// PromoteMember gives a replica a vote, once it has caught up.
func (c *Client) PromoteMember(ctx context.Context, id string) (api.Cluster, error) {
	return c.changeCluster(ctx, "/members/"+url.PathEscape(id)+"/promote")
}

// DemoteMember takes a member's vote: it follows and answers questions from then on.
func (c *Client) DemoteMember(ctx context.Context, id string) (api.Cluster, error) {
	return c.changeCluster(ctx, "/members/"+url.PathEscape(id)+"/demote")
}

// TransferLeadership makes another member lead.
func (c *Client) TransferLeadership(ctx context.Context) (api.Cluster, error) {
	return c.changeCluster(ctx, "/transfer")
}

// LeaveCluster takes the asked node out of its cluster for good. Give the client
// the address of that node alone.
func (c *Client) LeaveCluster(ctx context.Context) (api.Cluster, error) {
	return c.changeCluster(ctx, "/leave")
}

func (c *Client) changeCluster(ctx context.Context, path string) (api.Cluster, error) {
	var out api.Cluster
	if err := c.do(ctx, call{method: http.MethodPost, path: api.Prefix + "/cluster" + path}, &out); err != nil {
		return api.Cluster{}, err
	}
	return out, nil
}

// RaiseFeature lets the cluster use what came with a feature level; 0 is the
// highest that the asked node's build knows. There is no way back.
func (c *Client) RaiseFeature(ctx context.Context, level uint32) (api.FeatureResponse, error) {
	var out api.FeatureResponse
	path := api.Prefix + "/cluster/feature"
	if err := c.do(ctx, call{method: http.MethodPost, path: path, body: api.FeatureRequest{Level: level}, safe: true}, &out); err != nil {
		return api.FeatureResponse{}, err
	}
	return out, nil
}

// NewJoinToken makes a token with which one node can join the cluster.
func (c *Client) NewJoinToken(ctx context.Context, request api.JoinTokenRequest) (api.JoinTokenResponse, error) {
	var out api.JoinTokenResponse
	if err := c.do(ctx, call{method: http.MethodPost, path: api.Prefix + "/cluster/tokens", body: request}, &out); err != nil {
		return api.JoinTokenResponse{}, err
	}
	return out, nil
}

// Ready returns nil when the asked server serves.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[api.Health](ctx, c, "/readyz")
	return err
}

func storePath(name string) string { return api.Prefix + "/stores/" + url.PathEscape(name) }
