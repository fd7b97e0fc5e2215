package state_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

const docs = `pemba 1

condition office(ip: ipaddress) { ip.in_cidr("10.0.0.0/8") }

type user
type group {
  relation member: [user | group#member]
}
type document {
  relation owner:  [user] at most 2
  relation viewer: [user with expiry? | user:* | group#member | user with office]
  permission view = viewer or owner
}
`

// cluster feeds a State with entries, as Raft would.
type cluster struct {
	t     *testing.T
	dir   string
	s     *state.State
	index uint64
	time  int64
	log   [][]byte // encoded entries by index-1; nil where Raft had one of its own
}

func open(t *testing.T, o state.Options) *state.State {
	t.Helper()
	s, err := state.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func start(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	return &cluster{t: t, dir: dir, s: open(t, state.Options{Dir: dir}), time: 1_700_000_000_000_000_000}
}

// apply applies one entry that holds the commands.
func (c *cluster) apply(commands ...command.Command) []command.Result {
	c.t.Helper()
	c.index++
	c.time += 1_000_000
	b, err := command.Entry{Time: c.time, Commands: commands}.Encode()
	if err != nil {
		c.t.Fatal(err)
	}
	c.log = append(c.log, b)
	return replay(c.t, c.s, c.index, b)
}

func replay(t *testing.T, s *state.State, index uint64, b []byte) []command.Result {
	t.Helper()
	e, err := command.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Apply(index, 1, e)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// one applies one command and returns its result.
func (c *cluster) one(store string, body command.Body) command.Result {
	c.t.Helper()
	return c.apply(command.Command{Store: store, Body: body})[0]
}

// ok applies one command that must be accepted.
func (c *cluster) ok(store string, body command.Body) command.Result {
	c.t.Helper()
	r := c.one(store, body)
	if r.Rejection != nil {
		c.t.Fatalf("%T rejected: %s: %s", body, r.Rejection.Code, r.Rejection.Message)
	}
	return r
}

// rejected applies one command that must be rejected with a code.
func (c *cluster) rejected(code command.Code, store string, body command.Body) *command.Rejection {
	c.t.Helper()
	r := c.one(store, body)
	if r.Rejection == nil || r.Rejection.Code != code {
		c.t.Fatalf("%T: got %+v, want the rejection %s", body, r, code)
	}
	return r.Rejection
}

func putSchema(t *testing.T, text string) *command.PutSchema {
	t.Helper()
	files := []source.File{{Name: "schema.pemba", Text: text}}
	m, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		t.Fatal(err)
	}
	return &command.PutSchema{Files: files, Admission: m.Admission}
}

func parse(t *testing.T, text string) tuple.Tuple {
	t.Helper()
	p, err := tuple.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ops makes a write of lines like "create document:a#viewer@user:ana".
func ops(t *testing.T, lines ...string) *command.Write {
	t.Helper()
	w := &command.Write{}
	for _, line := range lines {
		var verb, rest string
		if n, err := fmt.Sscanf(line, "%s", &verb); n != 1 || err != nil {
			t.Fatal(line)
		}
		rest = line[len(verb)+1:]
		op := map[string]command.Op{"create": command.Create, "touch": command.Touch, "delete": command.Delete}[verb]
		w.Operations = append(w.Operations, command.Operation{Op: op, Tuple: parse(t, rest)})
	}
	return w
}

// tuples lists what a view selects, as text.
func tuples(t *testing.T, v *state.View, f tuple.Filter) []string {
	t.Helper()
	var out []string
	for tu, err := range v.Tuples(f, nil) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, tu.String())
	}
	return out
}

func view(t *testing.T, s *state.State, store string, at tuple.Revision) *state.View {
	t.Helper()
	v, err := s.View(store, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func TestFirst(t *testing.T) {
	c := start(t)
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	c.rejected(command.CodeStoreNotFound, "a", ops(t, "create document:a#viewer@user:ana"))
	c.ok("a", &command.PutStore{})
	c.rejected(command.CodeSchemaMissing, "a", ops(t, "create document:a#viewer@user:ana"))
	c.ok("a", putSchema(t, docs))
	r := c.ok("a", ops(t, "create document:a#viewer@user:ana", "touch document:b#viewer@group:x#member"))
	if r.Created != 2 {
		t.Errorf("created %d, want 2", r.Created)
	}
	c.rejected(command.CodeTupleExists, "a", ops(t, "create document:a#viewer@user:ana"))
	v := view(t, c.s, "a", 0)
	got := tuples(t, v, tuple.Filter{})
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
	sch, err := v.Schema()
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.Node(sch.Type("document").ID, "a")
	if err != nil || n == 0 {
		t.Errorf("node: %d, %v", n, err)
	}
	if err := v.Verify(); err != nil {
		t.Error(err)
	}
}
