package state_test

import (
	"flag"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

var seeds = flag.Int("seeds", 6, "how many random worlds the property tests run")

// The schemas that the worlds switch between: each admits other tuples.
var schemas = []string{docs, `pemba 1
condition office(ip: ipaddress, floor: int) { ip.in_cidr("10.0.0.0/8") && floor > 0 }
type user
type group {
  relation member: [user]
}
type document {
  relation owner:  [user] at most 1
  relation viewer: [user with expiry | user:* | group#member | user with office]
}
`, `pemba 1
type user
type group {
  relation member: [user | group#member]
}
type folder {
  relation viewer: [user]
}
`}

// world makes random entries.
type world struct {
	*rand.Rand
	t       *testing.T
	puts    []*command.PutSchema
	now     int64
	expires int64 // the last expiry given; each is another instant
	index   tuple.Revision
	floor   tuple.Revision
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 7)), t: t, now: 1_700_000_000_000_000_000}
	for _, text := range schemas {
		w.puts = append(w.puts, putSchema(t, text))
	}
	return w
}

func pick[T any](w *world, of ...T) T { return of[w.IntN(len(of))] }

func (w *world) tuple() tuple.Tuple {
	var t tuple.Tuple
	user := tuple.Subject{Type: "user", ID: pick(w, "ana", "bob", "eve", "u1", "u10")}
	members := tuple.Subject{Type: "group", ID: pick(w, "g", "h"), Relation: "member"}
	switch w.IntN(9) {
	case 0, 1:
		t.Object, t.Relation = tuple.Object{Type: "group", ID: pick(w, "g", "h", "gh")}, "member"
		t.Subject = pick(w, user, members)
	case 2, 4:
		t.Object, t.Relation, t.Subject = tuple.Object{Type: "document", ID: pick(w, "a", "b")}, "owner", user
	case 3:
		t.Object, t.Relation, t.Subject = tuple.Object{Type: "folder", ID: "f"}, pick(w, "viewer", "nothing"), user
	default:
		t.Object, t.Relation = tuple.Object{Type: "document", ID: pick(w, "a", "b", "a/b", "ab")}, "viewer"
		t.Subject = pick(w, user, user, members, tuple.Subject{Type: "user", ID: "*"})
		switch w.IntN(4) {
		case 0:
			t.Condition.Name = "office"
			t.Condition.Context = pick[tuple.Context](w, "", `{"ip":"10.1.2.3"}`, `{"floor":3}`)
		case 1:
			w.expires = max(w.expires+1, w.now+int64(w.IntN(40))*int64(time.Second))
			t.Expires = time.Unix(0, w.expires).UTC()
		}
	}
	return t
}

func (w *world) filter() tuple.Filter {
	f := tuple.Filter{ObjectType: pick(w, "", "document", "group", "document", "group"), ObjectID: pick(w, "", "a", "b", "g"),
		Relation: pick(w, "", "", "viewer", "member"), Subject: tuple.SubjectFilter{Type: pick(w, "", "", "user", "group"),
			ID: pick(w, "", "", "ana"), Relation: pick(w, "", "", "-", "member")}}
	if w.IntN(4) > 0 { // mostly names that there are
		switch {
		case f.ObjectType == "document" && f.Relation == "member":
			f.Relation = "viewer"
		case f.ObjectType == "group" && f.Relation == "viewer":
			f.Relation = "member"
		}
		if f.Subject.Type == "user" && f.Subject.Relation == "member" {
			f.Subject.Relation = tuple.NoRelation
		}
	} else if w.IntN(4) == 0 {
		f.ObjectType = "nowhere"
	}
	return f
}

func (w *world) write() *command.Write {
	c := &command.Write{}
	for range w.IntN(5) {
		c.Operations = append(c.Operations, command.Operation{
			Op: pick(w, command.Create, command.Touch, command.Touch, command.Delete), Tuple: w.tuple()})
	}
	if w.IntN(12) == 0 {
		f := w.filter()
		c.DeleteFilter = &f
	}
	if w.IntN(3) == 0 {
		p := command.Precondition{Filter: w.filter(), Must: pick(w, command.Match, command.NotMatch, command.Unchanged)}
		if p.Must == command.Unchanged {
			p.Since = w.past()
			if w.IntN(3) == 0 {
				p.Filter = tuple.Filter{}
			}
		}
		c.Preconditions = append(c.Preconditions, p)
	}
	if w.IntN(6) == 0 {
		c.IdempotencyKey = pick(w, "k1", "k2", "k3")
		c.BodyDigest[0] = byte(w.IntN(2))
	}
	return c
}

// past draws a recent revision.
func (w *world) past() tuple.Revision { return w.index - min(w.index, tuple.Revision(w.IntN(12))) }

func (w *world) command() command.Command {
	c := command.Command{Store: pick(w, "one", "one", "one", "two")}
	switch w.IntN(40) {
	case 0:
		if w.IntN(4) == 0 {
			c.Body = &command.DeleteStore{}
			break
		}
		fallthrough
	case 1:
		c.Body = &command.PutStore{Index: pick(w, command.IndexUnsaid, command.IndexMemory, command.IndexDisk, command.IndexDisk)}
	case 2, 3, 4:
		p := *w.puts[pick(w, 0, 0, 0, 1, 1, 2)]
		p.Orphans = pick(w, command.OrphansRefuse, command.OrphansDelete, command.OrphansIgnore, command.OrphansIgnore)
		switch w.IntN(6) {
		case 0:
			p.IfMatch.None = true
		case 1:
			p.IfMatch.Revision = w.past()
		}
		c.Body = &p
	case 6, 7:
		c.Body = &command.CollectExpired{Limit: 1000}
	case 8:
		c.Store, c.Body = "", &command.SetFloor{Revision: w.floor}
		if w.index > 30 {
			w.floor = max(w.floor, w.index-20-tuple.Revision(w.IntN(10)))
		}
	case 9:
		c.Body = &command.ResolveQuarantine{Filter: w.filter(), Revive: w.IntN(2) == 0}
	case 10:
		c.Store, c.Body = "", &command.Marker{}
	case 11, 12:
		im := &command.Import{}
		for range w.IntN(4) {
			im.Tuples = append(im.Tuples, w.tuple())
		}
		c.Body = im
	default:
		c.Body = w.write()
	}
	return c
}

// entry makes the next entry; the index may skip some, as Raft's own entries do.
func (w *world) entry() command.Entry {
	w.index += tuple.Revision(1 + w.IntN(2)*w.IntN(3))
	w.now += int64(w.IntN(3_000)) * int64(time.Millisecond)
	e := command.Entry{Time: w.now - int64(w.IntN(2))*int64(time.Second)}
	if w.index < 4 {
		e.Commands = append(e.Commands,
			command.Command{Store: "one", Body: &command.PutStore{}}, command.Command{Store: "one", Body: w.puts[0]},
			command.Command{Store: "two", Body: &command.PutStore{Index: command.IndexDisk}}, command.Command{Store: "two", Body: w.puts[0]})
	}
	for range 1 + w.IntN(4) {
		e.Commands = append(e.Commands, w.command())
	}
	return e
}

// TestAgainstModel holds apply and every reader to maps: results of random
// entries, and the contents at every revision that can be read, over restarts.
func TestAgainstModel(t *testing.T) {
	for seed := range uint64(*seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, state.Options{Dir: dir})
			w, m := newWorld(t, seed), newModel()
			at := map[tuple.Revision]contents{}
			accepted := map[string]int{}
			for i := range 250 {
				e := w.entry()
				b, err := e.Encode()
				if err != nil {
					t.Fatal(err)
				}
				got := replay(t, s, uint64(w.index), b)
				want, c := m.entry(w.index, e)
				at[w.index] = c
				for j := range want {
					compareResults(t, w.index, e.Commands[j], got[j], want[j], accepted)
				}
				if i%25 == 7 {
					checkRevision(t, s, w, m, w.index, c)
				}
				if i%60 == 59 {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, state.Options{Dir: dir})
					if index, _ := s.Applied(); index != uint64(w.index) {
						t.Fatalf("applied %d after a restart, want %d", index, w.index)
					}
				}
			}
			for rev, c := range at {
				if rev >= m.floor {
					checkRevision(t, s, w, m, rev, c)
				} else if _, err := s.View("one", rev); err == nil {
					t.Errorf("revision %d below the floor %d can be read", rev, m.floor)
				}
			}
			for _, what := range []string{"*command.Write", "*command.PutSchema", "*command.ResolveQuarantine", "orphaned_tuples", "at_most", "precondition_failed"} {
				if accepted[what] == 0 && seed == 0 {
					t.Errorf("the world never saw %s: %v", what, accepted)
				}
			}
		})
	}
}

func compareResults(t *testing.T, rev tuple.Revision, c command.Command, got, want command.Result, seen map[string]int) {
	t.Helper()
	code := func(r command.Result) command.Code {
		if r.Rejection == nil {
			return ""
		}
		return r.Rejection.Code
	}
	schemaOf := func(r command.Result) string {
		if r.Schema == nil {
			return ""
		}
		return fmt.Sprint(r.Schema.Revision, r.Schema.Unchanged)
	}
	type summary struct {
		Revision                               tuple.Revision
		Created, Updated, Deleted, Quarantined uint64
		Replayed                               bool
		Code                                   command.Code
		Schema                                 string
	}
	sum := func(r command.Result) summary {
		return summary{r.Revision, r.Created, r.Updated, r.Deleted, r.Quarantined, r.Replayed, code(r), schemaOf(r)}
	}
	if sum(got) != sum(want) {
		message := ""
		if got.Rejection != nil {
			message = got.Rejection.Message
		}
		t.Fatalf("revision %d: %T %+v:\n got %+v %s\nwant %+v", rev, c.Body, c.Body, sum(got), message, sum(want))
	}
	if got.Rejection != nil {
		seen[string(got.Rejection.Code)]++
	} else {
		seen[fmt.Sprintf("%T", c.Body)]++
	}
}

// checkRevision compares all that can be read of a revision with the model.
func checkRevision(t *testing.T, s *state.State, w *world, m *model, rev tuple.Revision, c contents) {
	t.Helper()
	for _, name := range []string{"one", "two"} {
		want := c.stores[name]
		v, err := s.View(name, rev)
		if want == nil {
			if err == nil {
				t.Errorf("revision %d: store %s is there", rev, name)
				v.Close()
			}
			continue
		}
		if err != nil {
			t.Fatalf("revision %d, store %s: %v", rev, name, err)
		}
		if v.LogTime().UnixNano() != c.now {
			t.Errorf("revision %d: log time %d, want %d", rev, v.LogTime().UnixNano(), c.now)
		}
		if v.SchemaRevision() != want.schema {
			t.Errorf("revision %d: schema of %d, want %d", rev, v.SchemaRevision(), want.schema)
		}
		if err := v.Verify(); err != nil {
			t.Errorf("revision %d, store %s: %v", rev, name, err)
		}
		n, err := v.Counts()
		if err != nil || n.Live != uint64(len(want.live)) || n.Quarantined != uint64(len(want.quarantine)) {
			t.Errorf("revision %d, store %s: %d live, %d quarantined, want %d and %d (%v)", rev, name, n.Live, n.Quarantined, len(want.live), len(want.quarantine), err)
		}
		f := w.filter()
		for _, filter := range []tuple.Filter{{}, f} {
			compareTuples(t, fmt.Sprintf("revision %d, store %s, filter %+v", rev, name, filter), tuples(t, v, filter), want.live, filter, c.now)
			var got []string
			for tu, err := range v.Quarantined(filter, nil) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, tu.String())
			}
			compareTuples(t, fmt.Sprintf("revision %d, store %s, quarantine", rev, name), got, want.quarantine, filter, 0)
		}
		checkPages(t, v)
		checkReader(t, fmt.Sprintf("revision %d, store %s", rev, name), v, want)
		v.Close()
	}
}

func compareTuples(t *testing.T, what string, got []string, all map[tuple.Key]tuple.Tuple, f tuple.Filter, now int64) {
	t.Helper()
	want := []string{}
	for k, tu := range all {
		if f.Matches(k) && !expired(tu, now) {
			want = append(want, tu.String())
		}
	}
	slices.Sort(want)
	got = slices.Sorted(slices.Values(got))
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// checkPages reads the tuples in pages of two and expects what one read gives.
func checkPages(t *testing.T, v *state.View) {
	t.Helper()
	want := tuples(t, v, tuple.Filter{})
	var got []string
	var after *tuple.Key
	for {
		n := 0
		for tu, err := range v.Tuples(tuple.Filter{}, after) {
			if err != nil {
				t.Fatal(err)
			}
			if n == 2 {
				break
			}
			n++
			got = append(got, tu.String())
			after = &tu.Key
		}
		if n < 2 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("pages give %q, one read %q", got, want)
	}
}

// checkReader walks the graph from both ends and expects the model's tuples.
func checkReader(t *testing.T, what string, v *state.View, want *modelStore) {
	t.Helper()
	n := v.Numbering()
	relations := map[tuple.RelationID]string{}
	for _, typ := range []string{"group", "document", "folder", "user"} {
		for _, r := range []string{"member", "owner", "viewer", "view"} {
			if id := n.RelationID(typ, r); id != 0 {
				relations[id] = r
			}
		}
	}
	object := func(id tuple.Node) tuple.Object {
		typ, name, err := v.Object(id)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, candidate := range []string{"group", "document", "folder", "user"} {
			if n.TypeID(candidate) == typ {
				return tuple.Object{Type: candidate, ID: name}
			}
		}
		t.Fatalf("%s: unknown type %d", what, typ)
		return tuple.Object{}
	}
	subject := func(r tuple.Ref) tuple.Subject {
		o := object(r.Node)
		return tuple.Subject{Type: o.Type, ID: o.ID, Relation: relations[r.Relation]}
	}
	same := func(k tuple.Key, e tuple.Edge) {
		tu, ok := want.live[k]
		expires := uint64(0)
		if !tu.Expires.IsZero() {
			expires = tuple.Nanoseconds(tu.Expires)
		}
		if !ok || e.Condition != n.ConditionID(tu.Condition.Name) || e.Context != tu.Condition.Context || e.Expires != expires {
			t.Fatalf("%s: %s is %+v, want %+v", what, k, e, tu)
		}
	}
	named := map[tuple.Object]bool{}
	for k := range want.live {
		named[k.Object] = true
		if !k.Subject.IsWildcard() {
			named[k.Subject.Object()] = true
		}
	}
	forward, backward, usersets := map[tuple.Key]bool{}, map[tuple.Key]bool{}, 0
	found := map[tuple.Object]bool{}
	for _, typ := range []string{"group", "document", "folder", "user"} {
		var nodes []tuple.Node
		for node, err := range inTwos(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
			return v.Nodes(n.TypeID(typ), from, into)
		}) {
			if err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, node)
			found[object(node)] = true
		}
		var ids string
		for _, node := range nodes {
			ids += object(node).ID
		}
		if got, err := v.IDs(nodes, nil, make([]int, len(nodes))); err != nil || string(got) != ids {
			t.Fatalf("%s: IDs gives %q, want %q (%v)", what, got, ids, err)
		}
		known, none, err := v.Pair(tuple.ObjectName{Type: n.TypeID(typ), ID: "a"}, tuple.ObjectName{Type: n.TypeID(typ), ID: "nobody"})
		if want, _ := v.Node(n.TypeID(typ), "a"); known != want || none != 0 || err != nil {
			t.Fatalf("%s: Pair gives %d and %d, want %d and none (%v)", what, known, none, want, err)
		}
		if star, err := v.Node(n.TypeID(typ), "*"); err != nil {
			t.Fatal(err)
		} else if star != 0 {
			nodes = append(nodes, star)
		}
		for _, node := range nodes {
			row := make([]tuple.Edge, 100)
			if n, whole, err := v.Row(node, row); err != nil {
				t.Fatal(err)
			} else if whole {
				inRow := map[tuple.Key]bool{}
				for _, e := range row[:n] {
					k := tuple.Key{Object: object(node), Relation: relations[e.Relation], Subject: subject(e.Ref)}
					same(k, e)
					inRow[k] = true
				}
				for k := range want.live {
					if k.Object == object(node) && !inRow[k] {
						t.Fatalf("%s: the row of its object misses %s", what, k)
					}
				}
			}
			for relation, name := range relations {
				for e, err := range inTwos(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
					return v.Subjects(node, relation, from, into)
				}) {
					if err != nil {
						t.Fatal(err)
					}
					k := tuple.Key{Object: object(node), Relation: name, Subject: subject(e.Ref)}
					same(k, e)
					forward[k] = true
					direct, ok, err := v.Edge(node, relation, e.Ref)
					if err != nil || !ok || direct != e {
						t.Fatalf("%s: edge %s: %+v, %v, %v, want %+v", what, k, direct, ok, err, e)
					}
				}
				for e, err := range inTwos(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
					return v.Usersets(node, relation, from, into)
				}) {
					if err != nil || e.Ref.Relation == 0 {
						t.Fatalf("%s: userset %+v: %v", what, e, err)
					}
					usersets++
				}
			}
			for _, relation := range append(slices.Collect(maps.Keys(relations)), 0) {
				for e, err := range inTwos(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
					return v.Objects(tuple.Ref{Node: node, Relation: relation}, 0, from, into)
				}) {
					if err != nil {
						t.Fatal(err)
					}
					k := tuple.Key{Object: object(e.Ref.Node), Relation: relations[e.Ref.Relation], Subject: subject(tuple.Ref{Node: node, Relation: relation})}
					same(k, e)
					backward[k] = true
					alone := false
					for same, err := range inTwos(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
						return v.Objects(tuple.Ref{Node: node, Relation: relation}, e.Ref.Relation, from, into[:2])
					}) {
						if err != nil || same.Ref.Relation != e.Ref.Relation {
							t.Fatalf("%s: in the relation of %s alone: %+v, %v", what, k, same, err)
						}
						alone = alone || same.Ref == e.Ref
					}
					if !alone {
						t.Fatalf("%s: %s is not in its relation alone", what, k)
					}
				}
			}
		}
	}
	wantUsersets := 0
	for k := range want.live {
		if k.Subject.IsUserset() {
			wantUsersets++
		}
	}
	if len(forward) != len(want.live) || len(backward) != len(want.live) || usersets != wantUsersets || !maps.Equal(found, named) {
		t.Fatalf("%s: %d tuples forward, %d backward, %d usersets, objects %v; want %d tuples, %d usersets, objects %v",
			what, len(forward), len(backward), usersets, found, len(want.live), wantUsersets, named)
	}
}

// inTwos lists by chunks so small that every list of three goes on at a cursor.
func inTwos[T any](read func(tuple.Cursor, []T) (int, tuple.Cursor, error)) iter.Seq2[T, error] {
	return tuple.List(func(from tuple.Cursor, into []T) (int, tuple.Cursor, error) { return read(from, into[:2]) })
}
