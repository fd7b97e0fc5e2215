package state_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestIdleStoresSettle: what a load leaves in the graph index goes while nobody
// writes, but for what an open view sees.
func TestIdleStoresSettle(t *testing.T) {
	c := start(t)
	c.s.Close()
	c.s = open(t, state.Options{Dir: c.dir, Retain: 100 * time.Millisecond})
	c.ok("", &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}})
	for _, store := range []string{"a", "b", "gone"} {
		c.ok(store, &command.PutStore{})
		c.ok(store, putSchema(t, docs))
	}
	load := func(store string) {
		for i := range 20 {
			im := &command.Import{}
			for j := range 100 {
				im.Tuples = append(im.Tuples, tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: "document", ID: fmt.Sprint(i, "-", j)},
					Relation: "viewer", Subject: tuple.Subject{Type: "user", ID: fmt.Sprint(j)}}})
			}
			c.ok(store, im)
		}
	}
	load("a")
	v := view(t, c.s, "a", 0)
	c.ok("a", ops(t, "delete document:3-4#viewer@user:4"))
	load("b")
	load("gone")
	c.ok("gone", &command.DeleteStore{})
	eventually(t, c.s, func(g graph.Stats) bool { return g.Held <= 2000 }) // those of a alone, which the view holds
	for id, want := range map[string]bool{"3-4": true, "7-8": true, "9-9": true} {
		if got := viewerOf(t, v, id, id[2:]); got != want {
			t.Errorf("at the revision before, document:%s is viewed: %v", id, got)
		}
	}
	v.Close()
	eventually(t, c.s, func(g graph.Stats) bool { return g.Held == 0 && g.Retired == 0 })
	now := view(t, c.s, "a", 0)
	if viewerOf(t, now, "3-4", "4") || !viewerOf(t, now, "7-8", "8") {
		t.Error("a settled store says something else")
	}
	if n := c.s.Unsettled(); n != 0 {
		t.Errorf("%d stores are still looked after", n)
	}
	if got := c.s.Graphs().Tuples; got != 3999 {
		t.Errorf("%d tuples, want 3999", got)
	}
}

func eventually(t *testing.T, s *state.State, reached func(graph.Stats) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !reached(s.Graphs()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("without a write, Graphs() stays %+v", s.Graphs())
		}
	}
}

// viewerOf says whether a user is a direct viewer of a document.
func viewerOf(t *testing.T, v *state.View, document, user string) bool {
	t.Helper()
	n := v.Numbering()
	o, s, err := v.Pair(tuple.ObjectName{Type: n.TypeID("document"), ID: document}, tuple.ObjectName{Type: n.TypeID("user"), ID: user})
	if err != nil {
		t.Fatal(err)
	}
	_, ok, err := v.Edge(o, n.RelationID("document", "viewer"), tuple.Ref{Node: s})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// TestCursorsOutliveLoads: the revision of a page's cursor stays at hand though a
// load goes over it, which does not keep the others so.
func TestCursorsOutliveLoads(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 80,000 tuples")
	}
	c := withDocs(t)
	load := func(part int) {
		for i := range 40 {
			im := &command.Import{}
			for j := range 1000 {
				im.Tuples = append(im.Tuples, tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: "document", ID: fmt.Sprint(part, "-", i, "-", j)},
					Relation: "viewer", Subject: tuple.Subject{Type: "user", ID: fmt.Sprint(part, "-", j)}}})
			}
			c.ok("a", im)
		}
	}
	c.ok("a", ops(t, "create document:a#viewer@user:ana"))
	passed := c.s.AppliedRevision()
	load(1)
	if v := view(t, c.s, "a", passed); !v.Distant() {
		t.Error("a revision that nobody asked for outlives a load")
	}
	page := view(t, c.s, "a", 0)
	at := page.Revision()
	page.Keep()
	page.Close()
	load(2)
	next := view(t, c.s, "a", at)
	if next.Distant() || !viewerOf(t, next, "a", "ana") || !viewerOf(t, next, "1-39-7", "1-7") || viewerOf(t, next, "2-0-7", "2-7") {
		t.Error("the revision of a cursor is not at hand, or another")
	}
}
