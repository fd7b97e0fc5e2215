package engine_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// crossings is a schema whose walks take every short cut: groups from the user's
// side, wide arrows from the other end, names of names, and rewrites whose cheap
// operands stand last. Its groups are of a kind.
func crossings(kind groupKind) *schema.Schema {
	b := newBuilder("user", "group", "folder", "key")
	b.condition("a", "a", condition.Param{Name: "a", Type: "bool"})
	members, staff, all := []string{"user", "user:* with a", "group#member", "group#member with a", "user with a", "group#member expiry?"}, "group#member", direct()
	switch kind {
	case withStaff:
		members, staff = append(members, "group#staff"), "group#staff"
		b.permission("group", "staff", except(name("member"), name("left")))
	case withoutLeft:
		all = except(direct(), name("left"))
	case sealedGroups:
		b.later = append(b.later, func() {
			b.named(b.typ("group").ID, "member").Sealed = map[string][]schema.FixedSubject{
				"1": {{Type: b.typ("user").ID, ID: "2"}}, "2": {{Type: b.typ("user").ID, ID: tuple.Wildcard}}, "3": {}}
		})
	}
	b.relation("group", "member", shapes(members...), all)
	b.relation("group", "left", shapes("user"), direct())
	b.relation("folder", "parent", shapes("folder", "folder with a", "group#member"), direct())
	b.relation("folder", "viewer", shapes("user", "user:*", "group#member", staff, "group#member with a", "user expiry?"), direct())
	b.relation("folder", "blocked", shapes("user", "group#member"), direct())
	b.permission("folder", "view", except(or(arrow("parent", "view"), name("seen")), name("blocked")))
	b.permission("folder", "seen", name("viewer"))
	b.permission("folder", "all", and(every("parent", "view"), name("seen")))
	b.permission("folder", "reader", name("view"))
	b.relation("key", "owner", shapes("user", "group#member"), direct())
	b.later = append(b.later, func() {
		permissions := map[tuple.RelationID]bool{}
		for _, n := range []string{"view", "viewer", "all"} {
			permissions[b.named(b.typ("folder").ID, n).ID] = true
		}
		owner := b.named(b.typ("key").ID, "owner").ID
		groups := map[tuple.RelationID]bool{b.named(b.typ("group").ID, "member").ID: true}
		b.typ("key").Acts = []schema.Acts{{Owner: owner, On: b.typ("folder").ID, Permissions: permissions}, {Owner: owner, On: b.typ("group").ID, Permissions: groups}}
	})
	return b.schema()
}

// groupKind is what a member of a group in a group is.
type groupKind int

const (
	withStaff    groupKind = iota // groups lead to permissions that are named as usersets
	nested                        // to groups alone
	withoutLeft                   // the same, where who has left is none
	sealedGroups                  // the same, where the schema fixes some
	groupKinds
)

// crowded draws a graph with hubs: groups of many groups, users in many, folders
// with many parents.
func crowded(rnd *rand.Rand, kind groupKind) []tuple.Tuple {
	staff := "member"
	if kind == withStaff {
		staff = "staff"
	}
	size, often := 4+rnd.IntN(300), pickOne(rnd, 20, 20, 100)
	if rnd.IntN(2) == 0 {
		size = 4 + rnd.IntN(12)
	}
	var list []tuple.Tuple
	add := func(object string, o int, relation, subject string, s int, member string) {
		t := tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: object, ID: fmt.Sprint(o)}, Relation: relation,
			Subject: tuple.Subject{Type: subject, ID: fmt.Sprint(s), Relation: member}}}
		switch rnd.IntN(often) {
		case 0:
			if subject == "user" {
				t.Subject.ID = tuple.Wildcard
			}
		case 1:
			t.Expires = noon
		case 2, 3, 4, 5, 6:
			t.Condition.Name = "a"
			if rnd.IntN(2) > 0 {
				t.Condition.Context = tuple.Context(fmt.Sprintf(`{"a":%v}`, rnd.IntN(2) == 0))
			}
		}
		list = append(list, t)
	}
	hub := rnd.IntN(3)
	for range size {
		g := rnd.IntN(size)
		add("group", rnd.IntN(size), "member", "group", g, pickOne(rnd, "member", "member", staff))
		add("group", rnd.IntN(size), "member", "user", rnd.IntN(6), "")
		add("folder", rnd.IntN(size), "parent", "folder", rnd.IntN(size), "")
		switch hub {
		case 0:
			add("group", 0, "member", "group", g, "member")
		case 1:
			add("group", g, "member", "user", 1, "")
		case 2:
			add("folder", 0, "parent", "folder", g, "")
		}
		if rnd.IntN(4) == 0 {
			add("folder", rnd.IntN(size), "viewer", "group", rnd.IntN(size), pickOne(rnd, "member", staff))
			add("folder", rnd.IntN(size), "viewer", "user", rnd.IntN(6), "")
			add("folder", rnd.IntN(size), "blocked", "group", rnd.IntN(size), "member")
			add("group", rnd.IntN(size), "left", "user", rnd.IntN(6), "")
			add("folder", rnd.IntN(size), "parent", "group", rnd.IntN(size), "member")
		}
	}
	add("key", 0, "owner", "user", 1, "")
	add("key", 1, "owner", "group", rnd.IntN(size), "member")
	return list
}

func pickOne[T any](rnd *rand.Rand, list ...T) T { return list[rnd.IntN(len(list))] }

// TestShortCutsChangeNothing compares answers with those of a walk that takes no
// short cut, which a coverage asks for and TestDifferential holds to the naive
// evaluator, over graphs that are too large for that one. And it makes sure that
// short cuts were taken: many questions read far less.
func TestShortCutsChangeNothing(t *testing.T) {
	worlds := 240
	if testing.Short() {
		worlds = 60
	}
	var schemas [groupKinds]*schema.Schema
	for kind := range groupKinds {
		schemas[kind] = crossings(kind)
	}
	shorter, allowed, unsure := 0, 0, 0
	for seed := range uint64(worlds) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		kind := groupKind(seed) % groupKinds
		s, staff := schemas[kind], "member"
		if kind == withStaff {
			staff = "staff"
		}
		tuples := crowded(rnd, kind)
		r, err := memory.New(s, tuples)
		if err != nil {
			t.Fatal(err)
		}
		v := engine.View{Schema: s, Now: noon, Reader: r, Context: &condition.Request{Values: map[string][]byte{}}}
		if seed%3 == 0 {
			v.Context.Values["a"] = []byte("true")
		}
		var questions []engine.Question
		for range 60 {
			subject := tuple.Subject{Type: pickOne(rnd, "user", "user", "user", "key", "group"), ID: fmt.Sprint(rnd.IntN(7))}
			if subject.Type == "group" {
				subject.Relation = pickOne(rnd, "member", staff)
			}
			object := tuple.Object{Type: "folder", ID: pickOne(rnd, tuples...).Object.ID}
			if rnd.IntN(3) == 0 {
				object.ID = "0"
			}
			q := engine.Question{Object: object, Permission: pickOne(rnd, "view", "all", "viewer", "reader", "seen"), Subject: subject}
			if rnd.IntN(4) == 0 {
				q.Object.Type, q.Permission = "group", pickOne(rnd, "member", staff)
			}
			questions = append(questions, q)
		}
		plain, quick := v, v
		plain.Coverage = &engine.Coverage{}
		var want []string
		var cost []int
		for _, q := range questions {
			long := 0
			plain.Reader = counting{r, &long}
			said := text(engine.Check(t.Context(), plain, q))
			cost = append(cost, long)
			want = append(want, said)
			switch {
			case said == "allowed":
				allowed++
			case said != "denied":
				unsure++
			}
		}
		for how, mode := range map[string]func() (restore func()){"at once": engine.ClimbAtOnce, "never": engine.ClimbNever, "as it is": func() func() { return func() {} }} {
			restore, reads := mode(), 0
			quick.Reader = counting{r, &reads}
			batch, err := engine.CheckAll(t.Context(), quick, questions)
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range questions {
				reads = 0
				alone := text(engine.Check(t.Context(), quick, q))
				if how == "as it is" && 4*reads < cost[i] {
					shorter++
				}
				if together := text(batch[i].Answer, batch[i].Err); alone != want[i] || together != want[i] {
					t.Fatalf("seed %d, climbing %s: %v: %s alone, %s in a batch, want %s", seed, how, q, alone, together, want[i])
				}
			}
			restore()
		}
	}
	t.Logf("%d allowed, %d conditional, %d read less than a quarter", allowed, unsure, shorter)
	if allowed < worlds || unsure < worlds/3 || shorter < worlds {
		t.Errorf("of %d worlds too few answers allow or depend, or few short cuts were taken: %d, %d, %d", worlds, allowed, unsure, shorter)
	}
}

// poolsForget says that a build may not count on pools.
var poolsForget bool

// TestCommonCheckAllocatesNothing pins what a server pays the collector for.
func TestCommonCheckAllocatesNothing(t *testing.T) {
	if poolsForget {
		t.Skip("the race detector makes pools forget")
	}
	for what, c := range map[string]struct {
		g         *graph
		questions []string
	}{
		"subgroups": {subgroups(300), []string{"user:u299-3 view document:readme", "user:zoe view document:readme", "user:u5-5 member group:all"}},
		"lattice":   {lattice(5, 5), []string{"user:ana view document:readme", "user:zoe view document:readme"}},
	} {
		v := c.g.view(t, groups())
		for _, q := range c.questions {
			q := question(t, q)
			if n := testing.AllocsPerRun(100, func() {
				if _, err := engine.Check(t.Context(), v, q); err != nil {
					t.Fatal(err)
				}
			}); n > 0 {
				t.Errorf("%s, %v: %v allocations", what, q, n)
			}
		}
	}
}

// TestGoroutinesShareAView asks one view from several goroutines at once, as a
// server does with a batch: each gets what one alone gets.
func TestGoroutinesShareAView(t *testing.T) {
	w := newWorld(11)
	v := w.view()
	var questions []engine.Question
	for _, o := range w.objects {
		for _, n := range w.names[o.Type] {
			for _, s := range w.subjects {
				questions = append(questions, engine.Question{Object: o, Permission: n, Subject: s})
			}
		}
	}
	want, err := engine.CheckAll(t.Context(), v, questions)
	if err != nil {
		t.Fatal(err)
	}
	for _, share := range []int{1, 7, 64} {
		got := make([]engine.Result, len(questions))
		var group sync.WaitGroup
		for from := 0; from < len(questions); from += share {
			to := min(from+share, len(questions))
			group.Go(func() {
				part, err := engine.CheckAll(t.Context(), v, questions[from:to])
				if err != nil {
					t.Error(err)
				}
				copy(got[from:to], part)
			})
		}
		group.Wait()
		for i, q := range questions {
			if got, want := text(got[i].Answer, got[i].Err), text(want[i].Answer, want[i].Err); got != want {
				t.Fatalf("in portions of %d, %v: got %s, want %s", share, q, got, want)
			}
		}
	}
}
