package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

func Example() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()

	c, err := client.New(client.Config{Addresses: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.PutStore(ctx, "acme"); err != nil {
		log.Fatal(err)
	}
	store := c.Store("acme").Session() // what it reads knows what it wrote

	_, err = store.PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{Files: []api.SchemaFile{{Name: "access.pemba", Text: `
pemba 1
type user
type group    { relation member: [user] }
type document {
  relation viewer: [user | group#member]
  permission view = viewer
}`}}}})
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Touch(ctx,
		api.Tuple{Object: "group:eng", Relation: "member", Subject: "user:ana"},
		api.Tuple{Object: "document:readme", Relation: "viewer", Subject: "group:eng#member"})
	if err != nil {
		log.Fatal(err)
	}

	allowed, err := store.Allowed(ctx, "document:readme", "view", "user:ana")
	if err != nil {
		log.Fatal(err) // an error is no answer, and never a yes
	}
	fmt.Println("ana may view the readme:", allowed)

	for found, err := range store.Objects(ctx, api.LookupObjectsRequest{ObjectType: "document", Permission: "view", Subject: "user:ana"}) {
		if err != nil {
			log.Fatal(err) // what was printed before is only part of the answer
		}
		fmt.Println(found.Object, found.Result)
	}

	_, err = store.Touch(ctx, api.Tuple{Object: "document:readme", Relation: "view", Subject: "user:bob"})
	fmt.Println("view may be written:", !errors.Is(err, api.NotARelation))

	// Output:
	// ana may view the readme: true
	// document:readme allowed
	// view may be written: false
}

// A copy of what a store holds, kept up to date: read it once, then follow it from
// the token of that answer.
func ExampleStore_Watch() {
	address, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.New(client.Config{Addresses: []string{address}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.PutStore(ctx, "acme"); err != nil {
		log.Fatal(err)
	}
	store := c.Store("acme")
	ana := api.Tuple{Object: "document:readme", Relation: "viewer", Subject: "user:ana"}
	_, err = store.PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{Files: []api.SchemaFile{{Name: "access.pemba",
		Text: "pemba 1\ntype user\ntype document { relation viewer: [user] }\n"}}}})
	if err == nil {
		_, err = store.Touch(ctx, ana)
	}
	if err != nil {
		log.Fatal(err)
	}

	read, err := store.ReadTuples(ctx, api.ReadRequest{}) // large stores: follow its cursor to the end
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("there are", len(read.Tuples))
	if _, err := store.Delete(ctx, ana); err != nil { // somebody, meanwhile
		log.Fatal(err)
	}
	for event, err := range store.Watch(ctx, api.WatchRequest{Token: read.Token}) {
		if err != nil {
			log.Fatal(err) // api.HistoryExpired: read anew
		}
		for _, change := range event.Changes {
			present, _ := change.Op.Present()
			fmt.Println(change.Op, change.Object, "is there:", present)
		}
		if len(event.Changes) > 0 {
			break
		}
	}

	// Output:
	// there are 1
	// delete document:readme is there: false
}

// serve runs a server for the example. Elsewhere `pemba serve` does, and in
// tests package pembatest.
func serve() (address string, stop func()) {
	folder, err := os.MkdirTemp("", "pemba")
	if err != nil {
		log.Fatal(err)
	}
	node, err := raftstore.Open(context.Background(), raftstore.Config{Dir: folder, NoSync: true})
	if err != nil {
		log.Fatal(err)
	}
	web := httptest.NewServer(server.New(node, server.Config{}))
	return web.URL, func() {
		web.Close()
		node.Close()
		os.RemoveAll(folder)
	}
}
