package state_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// withDocs is a cluster with the store "a" and the schema docs.
func withDocs(t *testing.T) *cluster {
	c := start(t)
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	return c
}

func (c *cluster) list(f tuple.Filter) []string {
	c.t.Helper()
	v, err := c.s.View("a", 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer v.Close()
	return tuples(c.t, v, f)
}

func (c *cluster) quarantined() []string {
	c.t.Helper()
	v, err := c.s.View("a", 0)
	if err != nil {
		c.t.Fatal(err)
	}
	defer v.Close()
	var out []string
	for tu, err := range v.Quarantined(tuple.Filter{}, nil) {
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, tu.String())
	}
	return out
}

func TestWriteIsAllOrNothing(t *testing.T) {
	c := withDocs(t)
	r := c.rejected("tuple_exists", "a", func() *command.Write {
		c.ok("a", ops(t, "create document:a#viewer@user:ana"))
		return ops(t, "create document:b#viewer@user:ana", "create document:a#viewer@user:ana", "touch document:c#viewer@user:ana",
			"touch nowhere:c#viewer@user:ana", "touch document:c#viewer@user:ana")
	}())
	if r.Operation != 1 {
		t.Errorf("operation %d is at fault, want 1", r.Operation)
	}
	var codes []string
	for _, f := range r.Faults {
		codes = append(codes, fmt.Sprintf("%d %s", f.Operation, f.Code))
	}
	if got, want := strings.Join(codes, ", "), "1 tuple_exists, 3 unknown_type, 4 duplicate_operation"; got != want {
		t.Errorf("faults %s, want %s", got, want)
	}
	if got := c.list(tuple.Filter{}); len(got) != 1 {
		t.Errorf("something was written: %v", got)
	}
}

// TestPack: the commands of one entry are judged in order, each sees the ones
// before it, and a rejected one leaves nothing behind for the next.
func TestPack(t *testing.T) {
	c := start(t)
	results := c.apply(
		command.Command{Store: "a", Body: ops(t, "create document:a#viewer@user:ana")},
		command.Command{Store: "a", Body: &command.PutStore{}},
		command.Command{Store: "a", Body: putSchema(t, docs)},
		command.Command{Store: "a", Body: ops(t, "create document:a#owner@user:ana", "create document:a#owner@user:bob", "create document:a#owner@user:eve")},
		command.Command{Store: "a", Body: ops(t, "create document:a#owner@user:ana", "create document:a#owner@user:bob")},
		command.Command{Store: "a", Body: ops(t, "create document:a#owner@user:eve")},
		command.Command{Store: "a", Body: ops(t, "delete document:a#owner@user:ana", "create document:a#owner@user:eve")},
		command.Command{Store: "a", Body: ops(t, "create document:a#owner@user:bob")},
		command.Command{Store: "a", Body: &command.Write{DeleteFilter: &tuple.Filter{Subject: tuple.SubjectFilter{ID: "bob"}}}},
		command.Command{Store: "a", Body: &command.DeleteStore{}},
		command.Command{Store: "a", Body: ops(t, "create document:a#viewer@user:ana")},
		command.Command{Store: "a", Body: &command.PutStore{}},
	)
	var got []string
	for _, r := range results {
		if r.Rejection != nil {
			got = append(got, string(r.Rejection.Code))
		} else {
			got = append(got, "ok")
		}
	}
	want := []string{"store_not_found", "ok", "ok", "at_most", "ok", "at_most", "ok", "tuple_exists", "ok", "ok", "store_not_found", "ok"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if got := c.list(tuple.Filter{}); len(got) != 0 {
		t.Errorf("a store made anew holds %v", got)
	}
	if a, b := results[1].Store.ID, results[11].Store.ID; a == b {
		t.Errorf("the number %d was given twice", a)
	}
}

func TestExpiredIsAbsent(t *testing.T) {
	c := withDocs(t)
	instant := time.Unix(0, c.time).Add(time.Second).UTC().Format(time.RFC3339Nano)
	c.ok("a", ops(t, "create document:a#viewer@user:ana until "+instant))
	c.rejected(command.CodeTupleExists, "a", ops(t, "create document:a#viewer@user:ana"))
	filter := tuple.Filter{ObjectType: "document"}
	c.time += int64(time.Second) // the instant itself is already too late
	c.rejected(command.CodePreconditionFailed, "a", &command.Write{Preconditions: []command.Precondition{{Filter: filter, Must: command.Match}}})
	if got := c.list(tuple.Filter{}); len(got) != 0 {
		t.Errorf("an expired tuple is listed: %v", got)
	}
	if r := c.ok("a", ops(t, "delete document:a#viewer@user:ana")); r.Deleted != 0 {
		t.Errorf("an expired tuple counts as deleted")
	}
	c.time -= int64(2 * time.Second) // a new leader's clock is behind: log time does not go back
	before := c.s.LogTime()
	c.ok("", &command.Marker{})
	if got := c.s.LogTime(); got.Before(before) {
		t.Errorf("log time went from %s back to %s", before, got)
	}
}

func TestCollectExpired(t *testing.T) {
	c := withDocs(t)
	for i := range 5 {
		instant := time.Unix(0, c.time).Add(time.Duration(5-i) * time.Second).UTC().Format(time.RFC3339Nano)
		c.ok("a", ops(t, fmt.Sprintf("create document:d%d#viewer@user:ana until %s", i, instant)))
	}
	c.ok("a", ops(t, "touch document:d4#viewer@user:ana")) // no longer expires
	expired := func() bool {
		t.Helper()
		found, err := c.s.HasExpired("a", time.Unix(0, c.time))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if expired() {
		t.Error("something has expired too early")
	}
	c.time += int64(3 * time.Second)
	if !expired() {
		t.Error("nothing has expired")
	}
	r := c.ok("a", &command.CollectExpired{Limit: 1})
	if r.Deleted != 1 || !r.More {
		t.Errorf("collected %d, more %v, want one of two", r.Deleted, r.More)
	}
	r = c.ok("a", &command.CollectExpired{})
	if r.Deleted != 1 || r.More {
		t.Errorf("collected %d, more %v, want the other one", r.Deleted, r.More)
	}
	if expired() {
		t.Error("something expired is left")
	}
	v := view(t, c.s, "a", 0)
	if n, err := v.Counts(); err != nil || n.Live != 3 {
		t.Errorf("%d tuples are left (%v), want 3", n.Live, err)
	}
}

func TestPreconditions(t *testing.T) {
	c := withDocs(t)
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:b#viewer@user:ana"))
	since := c.s.AppliedRevision()
	guard := func(f tuple.Filter, must command.Must) *command.Write {
		return &command.Write{Preconditions: []command.Precondition{{Filter: f, Must: must, Since: since}}}
	}
	object := func(id string) tuple.Filter { return tuple.Filter{ObjectType: "document", ObjectID: id} }
	ana := tuple.Filter{Subject: tuple.SubjectFilter{Type: "user", ID: "ana"}}
	bob := tuple.Filter{Subject: tuple.SubjectFilter{Type: "user", ID: "bob"}}

	c.ok("a", guard(object("a"), command.Match))
	c.ok("a", guard(bob, command.NotMatch))
	for _, f := range []tuple.Filter{{}, object("a"), ana, bob} {
		c.ok("a", guard(f, command.Unchanged))
	}
	c.ok("a", ops(t, "delete document:a#viewer@user:ana"))
	c.rejected(command.CodePreconditionFailed, "a", guard(tuple.Filter{}, command.Unchanged))
	c.rejected(command.CodePreconditionFailed, "a", guard(object("a"), command.Unchanged))
	c.rejected(command.CodePreconditionFailed, "a", guard(ana, command.Unchanged))
	c.ok("a", guard(object("b"), command.Unchanged))
	c.ok("a", guard(bob, command.Unchanged))
	c.ok("a", ops(t, "touch document:b#viewer@user:ana")) // the same again is no change
	c.ok("a", guard(object("b"), command.Unchanged))
	c.rejected(command.CodePreconditionFailed, "a", guard(object("a"), command.Match))
	c.rejected(command.CodePreconditionFailed, "a", guard(ana, command.NotMatch))

	c.ok("", &command.SetFloor{Revision: since + 1})
	c.rejected(command.CodePreconditionTooOld, "a", guard(object("b"), command.Unchanged))
}

func TestIdempotency(t *testing.T) {
	c := withDocs(t)
	keyed := func(key string, body byte, lines ...string) *command.Write {
		w := ops(t, lines...)
		w.IdempotencyKey, w.BodyDigest[0] = key, body
		return w
	}
	first := c.ok("a", keyed("k", 1, "create document:a#viewer@user:ana"))
	tried := first.Revision - 1
	c.ok("a", ops(t, "delete document:a#viewer@user:ana"))
	again := c.ok("a", keyed("k", 1, "create document:a#viewer@user:ana"))
	if !again.Replayed || again.Revision != first.Revision || again.Created != 1 || !again.Time.Equal(first.Time) {
		t.Errorf("the repetition answers %+v, the first did %+v", again, first)
	}
	if got := c.list(tuple.Filter{}); len(got) != 0 {
		t.Errorf("the repetition wrote %v", got)
	}
	c.rejected(command.CodeIdempotencyMismatch, "a", keyed("k", 2, "create document:a#viewer@user:ana"))
	c.ok("b", &command.PutStore{})
	if r := c.ok("b", keyed("k", 2)); r.Replayed {
		t.Error("a key of another store is known")
	}
	// A rejected write happened not at all: it is judged afresh.
	c.rejected("unknown_type", "a", keyed("bad", 1, "create nowhere:a#viewer@user:ana"))
	c.rejected("unknown_type", "a", keyed("bad", 1, "create nowhere:a#viewer@user:ana"))

	reopened := func() {
		if err := c.s.Close(); err != nil {
			t.Fatal(err)
		}
		c.s = open(t, state.Options{Dir: c.dir})
	}
	reopened()
	if r := c.ok("a", keyed("k", 1)); !r.Replayed {
		t.Error("a restart has forgotten the key")
	}
	c.ok("", &command.SetFloor{Revision: c.s.AppliedRevision()})
	for range 2 {
		old := keyed("k", 1, "create document:a#viewer@user:ana")
		old.FirstTried = tried
		c.rejected(command.CodeOutcomeUnknownExpired, "a", old)
		reopened()
	}
	fresh := keyed("fresh", 1, "create document:z#viewer@user:ana")
	fresh.FirstTried = c.s.AppliedRevision()
	c.ok("a", fresh)
}

func TestDeleteFilter(t *testing.T) {
	c := withDocs(t)
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:a#viewer@user:bob", "create document:a#owner@user:ana",
		"create document:ab#viewer@user:ana", "create document:b#viewer@group:g#member", "create group:g#member@user:ana"))
	w := ops(t, "create document:a#viewer@user:bob") // deleted by the filter first
	w.DeleteFilter = &tuple.Filter{ObjectType: "document", ObjectID: "a"}
	if r := c.ok("a", w); r.Deleted != 3 || r.Created != 1 {
		t.Errorf("deleted %d, created %d, want 3 and 1", r.Deleted, r.Created)
	}
	if r := c.ok("a", &command.Write{DeleteFilter: &tuple.Filter{Subject: tuple.SubjectFilter{Type: "user", Relation: tuple.NoRelation}}}); r.Deleted != 3 {
		t.Errorf("deleted %d users, want 3", r.Deleted)
	}
	if got := c.list(tuple.Filter{}); len(got) != 1 || got[0] != "document:b#viewer@group:g#member" {
		t.Errorf("left: %v", got)
	}
	c.rejected(command.Code(schema.CodeUnknownType), "a", &command.Write{DeleteFilter: &tuple.Filter{ObjectType: "nowhere"}})
	w = ops(t, "touch document:z#viewer@user:ana")
	w.Preconditions = []command.Precondition{{Must: command.NotMatch, Filter: tuple.Filter{ObjectType: "document", Relation: "banned"}}}
	c.rejected(command.Code(schema.CodeUnknownRelation), "a", w)
	if r := c.ok("a", &command.Write{DeleteFilter: &tuple.Filter{}}); r.Deleted != 1 {
		t.Errorf("deleted %d with an empty filter, want all", r.Deleted)
	}
}

func TestOrphans(t *testing.T) {
	before := []string{"create document:a#viewer@user:*", "create document:a#viewer@user:ana with office {\"ip\":\"10.0.0.1\"}",
		"create document:a#owner@user:ana", "create document:a#owner@user:bob", "create document:b#owner@user:ana",
		"create document:a#viewer@user:bob", "create group:g#member@user:ana"}
	for _, c := range []struct {
		name, from, to string // in the text of docs
		orphans        []string
	}{
		{"a subject kind less", "user:* | ", "", []string{"document:a#viewer@user:*"}},
		{"expiry required", "user with expiry?", "user with expiry", []string{"document:a#viewer@user:bob"}},
		{"another parameter type", "office(ip: ipaddress) { ip.in_cidr(\"10.0.0.0/8\") }", "office(ip: int) { ip == 1 }",
			[]string{"document:a#viewer@user:ana with office {\"ip\":\"10.0.0.1\"}"}},
		{"a lower limit takes none's side", "at most 2", "at most 1", []string{"document:a#owner@user:ana", "document:a#owner@user:bob"}},
		{"a singleton", "type document {", "singleton document:b {", []string{"document:a#owner@user:ana", "document:a#owner@user:bob",
			"document:a#viewer@user:*", "document:a#viewer@user:ana with office {\"ip\":\"10.0.0.1\"}", "document:a#viewer@user:bob"}},
		{"sealed", "type user\n", "type user\nsealed document:a#owner = user:ana\n", []string{"document:a#owner@user:ana", "document:a#owner@user:bob"}},
		{"a relation that becomes a permission", "relation owner:  [user] at most 2", "permission owner = nobody",
			[]string{"document:a#owner@user:ana", "document:a#owner@user:bob", "document:b#owner@user:ana"}},
		{"nothing that matters", "permission view = viewer or owner", "permission view = viewer", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(docs, c.from) {
				t.Fatalf("the schema has no %q", c.from)
			}
			k := withDocs(t)
			k.ok("a", ops(t, before...))
			all := k.list(tuple.Filter{})
			next := putSchema(t, strings.Replace(docs, c.from, c.to, 1))
			if c.orphans == nil {
				k.ok("a", next)
				return
			}
			r := k.rejected(command.CodeOrphanedTuples, "a", next)
			total := uint64(0)
			for _, o := range r.Orphans {
				total += o.Count
				if len(o.Examples) == 0 || o.Reason == "" {
					t.Errorf("an orphan shape without example or reason: %+v", o)
				}
			}
			if total != uint64(len(c.orphans)) {
				t.Errorf("%d orphans reported, want %d: %+v", total, len(c.orphans), r.Orphans)
			}
			if got := k.list(tuple.Filter{}); !slices.Equal(got, all) {
				t.Errorf("a refused schema changed the tuples: %v", got)
			}
			next.Orphans = command.OrphansIgnore
			if r := k.ok("a", next); r.Quarantined != uint64(len(c.orphans)) {
				t.Errorf("%d quarantined, want %d", r.Quarantined, len(c.orphans))
			}
			if got := slices.Sorted(slices.Values(k.quarantined())); !slices.Equal(got, c.orphans) {
				t.Errorf("quarantined %v, want %v", got, c.orphans)
			}
			// The old schema again revives nothing by itself.
			k.ok("a", putSchema(t, docs))
			if got := k.list(tuple.Filter{}); len(got) != len(all)-len(c.orphans) {
				t.Errorf("%d tuples are live, want %d", len(got), len(all)-len(c.orphans))
			}
			if r := k.ok("a", &command.ResolveQuarantine{Revive: true}); r.Created != uint64(len(c.orphans)) {
				t.Errorf("%d revived, want %d", r.Created, len(c.orphans))
			}
			if got := k.list(tuple.Filter{}); !slices.Equal(got, all) {
				t.Errorf("revived: %v, want %v", got, all)
			}
		})
	}
}

func TestSchemaIfMatch(t *testing.T) {
	c := withDocs(t)
	first := c.s.AppliedRevision()
	other := putSchema(t, strings.Replace(docs, "view = viewer or owner", "view = viewer", 1))
	other.IfMatch.None = true
	c.rejected(command.CodeSchemaConflict, "a", other)
	other.IfMatch = command.SchemaMatch{Revision: first + 100}
	c.rejected(command.CodeSchemaConflict, "a", other)
	other.IfMatch = command.SchemaMatch{Digest: [32]byte{1}}
	c.rejected(command.CodeSchemaConflict, "a", other)
	same := c.ok("a", putSchema(t, docs))
	if !same.Schema.Unchanged || same.Schema.Revision != first {
		t.Errorf("the same schema again: %+v", same.Schema)
	}
	other.IfMatch = command.SchemaMatch{Revision: first, Digest: same.Schema.Digest}
	second := c.ok("a", other)
	for rev, want := range map[tuple.Revision]tuple.Revision{first: first, second.Revision - 1: first, second.Revision: second.Revision} {
		v := view(t, c.s, "a", rev)
		stored, err := v.StoredSchema()
		if err != nil || stored.Revision != want || v.SchemaRevision() != want {
			t.Errorf("revision %d has the schema of %d (%v), want %d", rev, v.SchemaRevision(), err, want)
		}
		m, err := v.Module()
		if err != nil || m.Schema.Type("document").Relation("view") == nil {
			t.Errorf("revision %d: %v", rev, err)
		}
	}
	// Numbers outlive the schema that gave them.
	old, now := view(t, c.s, "a", first), view(t, c.s, "a", 0)
	a, _ := old.Schema()
	b, _ := now.Schema()
	if x, y := a.Type("document").Relation("viewer").ID, b.Type("document").Relation("viewer").ID; x != y || x == 0 {
		t.Errorf("viewer is %d, then %d", x, y)
	}
}

func TestCluster(t *testing.T) {
	c := start(t)
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	c.rejected(command.CodeClusterExists, "", &command.ClusterInit{ID: command.ClusterID{9}})
	for _, name := range []string{"", "a/b", "..", "ü", strings.Repeat("x", 129)} {
		c.rejected(command.CodeStoreNameInvalid, name, &command.PutStore{})
	}
	c.ok("", &command.SetMember{Member: command.Member{ID: "n1", Feature: 1, Voter: true}})
	c.ok("", &command.SetMember{Member: command.Member{ID: "n0", Feature: 3}})
	c.rejected(command.CodeFeatureLevel, "", &command.SetFeature{Level: 2})
	c.ok("", &command.SetMember{Member: command.Member{ID: "n1"}, Remove: true})
	c.ok("", &command.SetFeature{Level: 2})
	c.rejected(command.CodeFeatureLevel, "", &command.SetMember{Member: command.Member{ID: "n2", Feature: 1}})
	for range 2 {
		id, key := c.s.Cluster()
		if id != (command.ClusterID{1}) || key != (command.Secret{2}) || c.s.Feature() != 2 {
			t.Errorf("cluster %s, feature level %d", id, c.s.Feature())
		}
		if m := c.s.Members(); len(m) != 1 || m[0].ID != "n0" {
			t.Errorf("members %+v", m)
		}
		c.s.Close()
		c.s = open(t, state.Options{Dir: c.dir})
	}
}

// TestHistoryBudget: a past revision of a large store is an error, never an empty graph.
func TestHistoryBudget(t *testing.T) {
	c := start(t)
	c.s.Close()
	c.s = open(t, state.Options{Dir: c.dir, HistoryBudget: 1, Retain: 1})
	c.ok("a", &command.PutStore{})
	c.ok("a", putSchema(t, docs))
	c.ok("a", ops(t, "create document:a#viewer@user:ana", "create document:a#viewer@user:bob"))
	at := c.s.AppliedRevision()
	for i := range 40 {
		c.ok("a", ops(t, fmt.Sprintf("create document:b#viewer@user:u%d", i)))
	}
	v := view(t, c.s, "a", at)
	if got := tuples(t, v, tuple.Filter{}); len(got) != 2 {
		t.Errorf("a plain read sees %v", got)
	}
	if err := v.Approach(); !errors.Is(err, state.ErrHistoryBudget) {
		t.Errorf("approaching: %v, want the budget's error", err)
	}
	if _, err := v.Node(v.Numbering().TypeID("user"), "ana"); err == nil || !strings.Contains(err.Error(), "1 are read at most") {
		t.Errorf("got %v, want the budget's error", err)
	}
	for _, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
		return v.Nodes(v.Numbering().TypeID("user"), from, into)
	}) {
		if err == nil {
			t.Error("nodes without an error")
		}
	}
}

// TestBroadPrecondition: what would hold up apply is refused, the same on every node.
func TestBroadPrecondition(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 50,000 tuples")
	}
	c := withDocs(t)
	for i := range 2 {
		im := &command.Import{}
		for j := range 25_100 {
			im.Tuples = append(im.Tuples, tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: "document", ID: fmt.Sprintf("%d-%d", i, j)},
				Relation: "viewer", Subject: tuple.Subject{Type: "user", ID: "ana"}}})
		}
		c.ok("a", im)
	}
	bob := tuple.Filter{Subject: tuple.SubjectFilter{Type: "user", ID: "bob"}}
	must := func(f tuple.Filter) *command.Write {
		return &command.Write{Preconditions: []command.Precondition{{Filter: f, Must: command.NotMatch}}}
	}
	c.rejected(command.CodePreconditionTooBroad, "a", must(bob))
	bob.ObjectType, bob.ObjectID = "document", "0-1"
	c.ok("a", must(bob))
}
