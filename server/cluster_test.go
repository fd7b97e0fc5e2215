package server_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// cluster runs three nodes with a server each and returns a client for every one.
func cluster(t *testing.T) []*client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	folder, first := t.TempDir(), ""
	var clients []*client.Client
	for i := range 3 {
		config := raftstore.Config{Dir: filepath.Join(folder, fmt.Sprint(i)), NoSync: true, ListenAddr: freeAddress(t), Insecure: true}
		if i == 0 {
			first = config.ListenAddr
		} else {
			config.Join = []string{first}
		}
		node, err := raftstore.Open(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { node.Close() })
		if err := node.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, dial(t, serve(t, node, server.Config{})))
	}
	return clients
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The new-enemy problem (the Zanzibar paper, section 2.2): who was removed from a
// folder must not see what is put into it afterwards, whichever node is asked,
// when the content's token goes with the question. Cursors and tokens of one node
// are good at every other.
func TestNewEnemy(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three nodes")
	}
	nodes := cluster(t)
	ctx := t.Context()
	if _, err := nodes[0].PutStore(ctx, "acme"); err != nil {
		t.Fatal(err)
	}
	put, err := nodes[0].Store("acme").PutSchema(ctx, source(model))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i, c := range nodes {
		writer := c.Store("acme") // a follower's writes are forwarded
		readers := []*client.Store{nodes[(i+1)%3].Store("acme"), nodes[(i+2)%3].Store("acme")}
		group.Go(func() {
			for round := range 10 {
				folder := fmt.Sprintf("folder:f%d-%d", i, round)
				document := fmt.Sprintf("document:d%d-%d", i, round)
				enemy := api.Tuple{Object: folder, Relation: "viewer", Subject: "user:enemy"}
				granted, err := writer.Touch(ctx, enemy)
				if err == nil {
					_, err = writer.Delete(ctx, enemy)
				}
				if err != nil {
					t.Error(err)
					return
				}
				content, err := writer.Touch(ctx, api.Tuple{Object: document, Relation: "folder", Subject: folder})
				if err != nil {
					t.Error(err)
					return
				}
				for _, reader := range readers {
					for _, mode := range []*api.Consistency{api.AtLeastAsFresh(content.Token), api.FullyConsistent(), api.AtExactSnapshot(content.Token)} {
						q := check(document, "view", "user:enemy")
						q.Consistency = mode
						if got, err := reader.Check(ctx, q); err != nil || got.Allowed {
							t.Errorf("%s for the enemy: %+v, %v", document, got, err)
						}
					}
					q := check(folder, "view", "user:enemy")
					q.Consistency = api.AtExactSnapshot(granted.Token)
					if got, err := reader.Check(ctx, q); err != nil || !got.Allowed {
						t.Errorf("%s when it was granted: %+v, %v", folder, got, err)
					}
				}
			}
		})
	}
	group.Wait()

	// A list that one node began goes on at another.
	request := api.ReadRequest{Filter: api.Filter{ObjectType: "document"}, Page: api.Page{Limit: 10}, Consistency: api.FullyConsistent()}
	total := 0
	for i := 0; ; i++ {
		page, err := nodes[i%3].Store("acme").ReadTuples(ctx, request)
		if err != nil {
			t.Fatal(err)
		}
		total += len(page.Tuples)
		if request.Cursor = page.Cursor; page.Cursor == "" {
			break
		}
	}
	if total != 30 {
		t.Errorf("the pages of three nodes have %d tuples, want 30", total)
	}
	if got, err := nodes[2].Store("acme").Schema(ctx, put.Token); err != nil || got.ETag != put.ETag {
		t.Errorf("the schema at another node: %+v, %v", got, err)
	}
}
