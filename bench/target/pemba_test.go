package target_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/bench/target"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/server/api"
)

var brief = load.Plan{Clients: 3, Duration: 150 * time.Millisecond}

// operations are all that a target offers for a drive.
func operations(t *testing.T, h target.Target, d *dataset.Drive, lacks string) map[string]load.Operation {
	t.Helper()
	questions := d.Questions(1, 500)
	made := map[string]load.Operation{}
	add := func(name string) func(load.Operation, error) {
		return func(op load.Operation, err error) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			made[name] = op
		}
	}
	add("check")(h.Checks(questions))
	add("batch")(h.Batches(questions, 50))
	add("objects")(h.Objects(d.ObjectLists(1, 5), 0))
	if lacks != "page" {
		add("page")(h.Objects(d.ObjectLists(1, 5), 10))
	}
	add("subjects")(h.Subjects(d.SubjectLists(1, 5)))
	add("write")(h.Writes(d, 1))
	add("bulk")(h.Writes(d, 100))
	add("mixed")(h.Mixed(d, questions, 0.2))
	return made
}

func sample(t *testing.T, op load.Operation) load.Sample {
	t.Helper()
	s, err := load.Run(t.Context(), op, brief)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every operation of a Pemba server is answered, and right.
func TestPemba(t *testing.T) {
	server := pembatest.Start(t)
	h, err := target.New(&target.Pemba{Store: "bench"}, server.Address, target.Access{})
	if err != nil {
		t.Fatal(err)
	}
	d := dataset.NewDrive(2000, 1)
	want := len(slices.Collect(d.Tuples()))
	last := 0
	if err := h.Load(t.Context(), d, func(n int) { last = n }); err != nil || last != want {
		t.Fatalf("%d tuples loaded of %d: %v", last, want, err)
	}
	all := operations(t, h, d, "")
	for name, op := range all {
		s := sample(t, op)
		if s.Requests == 0 || s.Failed+s.Wrong > 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}

	// Whoever is blocked is blocked no more: answers that allow it are wrong.
	store := server.Client.Store("bench")
	if _, err := store.DeleteTuples(t.Context(), api.DeleteRequest{Filter: api.Filter{ObjectType: "document", Relation: "viewer"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"check", "batch", "objects", "subjects"} {
		if s := sample(t, all[name]); s.Wrong == 0 || s.LastError == "" {
			t.Errorf("%s: %+v: want answers told to be wrong", name, s)
		}
	}
}

// The constant server answers until its context ends.
func TestCeiling(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- target.ServeConstant(ctx, listener) }()
	op, err := target.Ceiling("http://"+listener.Addr().String(), dataset.NewDrive(1000, 1).Questions(1, 10))
	if err != nil {
		t.Fatal(err)
	}
	if s := sample(t, op); s.Requests == 0 || s.Failed > 0 {
		t.Errorf("%+v", s)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Under https the server is believed only with a certificate of whom the client
// trusts.
func TestHTTPS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"allowed":true,"result":"allowed"}`))
	}))
	t.Cleanup(server.Close)
	q := dataset.NewDrive(1000, 1).Questions(1, 2)
	q[0].Allowed, q[1].Allowed = true, true
	for trusted, config := range map[bool]*tls.Config{true: server.Client().Transport.(*http.Transport).TLSClientConfig, false: nil} {
		h, err := target.New(&target.Pemba{Store: "s"}, server.URL, target.Access{TLS: config})
		if err != nil {
			t.Fatal(err)
		}
		op, err := h.Checks(q)
		if err != nil {
			t.Fatal(err)
		}
		s, err := load.Run(t.Context(), op, brief)
		if (err == nil) != trusted || trusted && (s.Requests == 0 || s.Failed+s.Wrong > 0) {
			t.Errorf("trusted %v: %+v, %v", trusted, s, err)
		}
	}
}
