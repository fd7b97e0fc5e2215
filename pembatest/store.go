// Package pembatest runs a whole Pemba inside of a test: a single node in the
// test's temporary folder, a server on a local port, and a client. Call Start
// first:
//
//	func TestSharing(t *testing.T) {
//		store := pembatest.Start(t,
//			pembatest.SchemaFile("access.pemba"),
//			pembatest.Tuples("group:eng#member@user:ana", "document:readme#viewer@group:eng#member"))
//		ok, err := store.Allowed(t.Context(), "document:readme", "view", "user:ana")
//		…
//	}
//
// Everything stops and goes away when the test ends.
package pembatest

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// Name is the name of the store that Start makes.
const Name = "test"

// Store is a store of a Pemba that runs inside of the test. It is a client's
// Store: it checks, writes and looks up like any other.
type Store struct {
	*client.Store

	// Client speaks to the whole server, for other stores beside this one.
	Client *client.Client

	// Address is the server's base URL, for a client in another language.
	Address string
}

// Option sets up the store that Start makes. Options work in the order given.
type Option func(*setup)

type setup struct {
	t      testing.TB
	clock  func() time.Time
	logger *slog.Logger
	files  []source.File
	tuples []api.Operation
}

// SchemaFile writes the schema that a file holds, with all that it imports.
func SchemaFile(path string) Option {
	return func(s *setup) {
		s.t.Helper()
		files, err := schema.LoadFile(path)
		if err != nil {
			s.t.Fatalf("pembatest: %v", err)
		}
		s.files = files
	}
}

// Schema writes a schema from its text.
func Schema(text string) Option {
	return func(s *setup) { s.files = []source.File{{Name: "schema.pemba", Text: text}} }
}

// Tuples writes tuples from their text, object#relation@subject, one per line. A
// line that begins with // or # is a comment.
func Tuples(texts ...string) Option {
	return func(s *setup) {
		s.t.Helper()
		s.tuples = append(s.tuples, parse(s.t, texts)...)
	}
}

// Clock gives the instants that questions are asked at and writes are stamped with.
func Clock(now func() time.Time) Option { return func(s *setup) { s.clock = now } }

// Logger receives what node and server say; without it they are silent.
func Logger(logger *slog.Logger) Option { return func(s *setup) { s.logger = logger } }

// Start runs a server with one store. It fails the test at once when it cannot:
// for a schema with errors it says all of them, each with its place.
func Start(t testing.TB, options ...Option) *Store {
	t.Helper()
	s := &setup{t: t}
	for _, option := range options {
		option(s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	node, err := raftstore.Open(ctx, raftstore.Config{Dir: t.TempDir(), NoSync: true, Clock: s.clock, Logger: s.logger})
	if err != nil {
		t.Fatalf("pembatest: starting a node: %v", err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Errorf("pembatest: stopping the node: %v", err)
		}
	})
	if err := node.WaitReady(ctx); err != nil {
		t.Fatalf("pembatest: waiting for the node: %v", err)
	}
	address := serve(t, server.New(node, server.Config{Clock: s.clock, Logger: s.logger}))
	c, err := client.New(client.Config{Addresses: []string{address}})
	if err != nil {
		t.Fatalf("pembatest: %v", err)
	}
	t.Cleanup(c.Close)
	if _, err := c.PutStore(ctx, Name); err != nil {
		t.Fatalf("pembatest: creating the store: %v", err)
	}
	store := &Store{Store: c.Store(Name), Client: c, Address: address}
	if s.files != nil {
		store.PutSchemaFiles(t, s.files)
	}
	store.write(t, s.tuples)
	return store
}

// serve runs the server on a local port until the test ends.
func serve(t testing.TB, s *server.Server) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("pembatest: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("pembatest: stopping the server: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

// PutSchemaFiles replaces the store's schema; the test fails when it is refused.
func (s *Store) PutSchemaFiles(t testing.TB, files []source.File) {
	t.Helper()
	request := api.PutSchemaRequest{}
	for _, f := range files {
		request.Files = append(request.Files, api.SchemaFile{Name: f.Name, Text: f.Text})
	}
	if _, err := s.PutSchema(t.Context(), request); err != nil {
		t.Fatalf("pembatest: writing the schema: %v", err)
	}
}

// Given writes tuples from their text, as Tuples does.
func (s *Store) Given(t testing.TB, texts ...string) {
	t.Helper()
	s.write(t, parse(t, texts))
}

// write sends tuples in portions that the server takes.
func (s *Store) write(t testing.TB, operations []api.Operation) {
	t.Helper()
	const portion = 1000
	for len(operations) > 0 {
		n := min(portion, len(operations))
		if _, err := s.Write(t.Context(), api.WriteRequest{Operations: operations[:n]}); err != nil {
			t.Fatalf("pembatest: writing tuples: %v", err)
		}
		operations = operations[n:]
	}
}

func parse(t testing.TB, texts []string) []api.Operation {
	t.Helper()
	var operations []api.Operation
	for _, text := range texts {
		n := 0
		for line := range strings.Lines(text) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") {
				continue
			}
			tuple, err := api.ParseTuple(line)
			if err != nil {
				t.Fatalf("pembatest: tuples, line %d: %v", n, err)
			}
			operations = append(operations, api.Operation{Op: api.Touch, Tuple: tuple})
		}
	}
	return operations
}
