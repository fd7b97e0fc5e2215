package pembatest_test

import (
	"flag"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/pembatest"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// PEMBA_REMOTE_QUESTIONS=200000 go test -run Differential ./pembatest asks so many
// questions over HTTP; -seed repeats the world that a failure has named.
var seedFlag = flag.Uint64("seed", 0, "the one random world to ask about; 0: many")

// TestDifferential holds a whole server to the engine over plain lists of tuples,
// which is held to the naive evaluator: random schemas follow each other in a
// store, random tuples come and go, and questions of every kind are asked of the
// head and of revisions of the past.
func TestDifferential(t *testing.T) {
	wanted := 6000
	if text := os.Getenv("PEMBA_REMOTE_QUESTIONS"); text != "" {
		var err error
		if wanted, err = strconv.Atoi(text); err != nil {
			t.Fatalf("PEMBA_REMOTE_QUESTIONS: %v", err)
		}
	}
	var seconds atomic.Int64
	clock := func() time.Time { return midday.Add(time.Duration(seconds.Load()) * time.Second) }
	server := pembatest.Start(t, pembatest.Clock(clock))
	run := func(seed uint64) *differential {
		w := &differential{draw: draw{rand.New(rand.NewPCG(seed, 7))}, t: t, seed: seed, now: clock, tick: func() { seconds.Add(1) }}
		w.run(server.Client)
		return w
	}
	if *seedFlag != 0 {
		run(*seedFlag)
		return
	}
	var kept []*differential // asked about once more when much has been written since
	asked := 0
	seed := uint64(0)
	for asked < wanted && !t.Failed() {
		seed++
		w := run(seed)
		if asked += w.asked; len(kept) < 3 {
			kept = append(kept, w)
		} else {
			w.drop(server.Client)
		}
	}
	for _, w := range kept {
		w.askPast()
	}
	t.Logf("%d questions over %d worlds: %v", asked, seed, tally)
}

var (
	midday = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	tally  = map[string]int{}
)

// differential is one store and what is known to be in it.
type differential struct {
	draw
	t       *testing.T
	seed    uint64
	now     func() time.Time
	tick    func() // a second passes
	store   *client.Store
	text    string
	module  *schema.Module
	tuples  map[tuple.Key]tuple.Tuple
	moments []moment
	asked   int
}

// moment is what the store held at a revision.
type moment struct {
	token  tuple.Token
	logged time.Time
	text   string
	module *schema.Module
	tuples []tuple.Tuple
}

func (w *differential) run(c *client.Client) {
	name := fmt.Sprintf("world-%d", w.seed)
	index := api.IndexMemory
	if w.seed%3 == 1 {
		index = api.IndexDisk
	}
	if _, err := c.PutStoreIndexed(w.t.Context(), name, index); err != nil {
		w.t.Fatal(err)
	}
	w.store, w.tuples = c.Store(name), map[tuple.Key]tuple.Tuple{}
	for round := range 4 {
		if round == 0 || w.chance(30) {
			w.replaceSchema()
		}
		w.write()
		if w.chance(20) {
			w.deleteSome()
		}
		w.ask(w.moments[len(w.moments)-1], false)
		if w.t.Failed() {
			return
		}
	}
	w.askPast()
}

// askPast asks about all that the store ever held.
func (w *differential) askPast() {
	for _, m := range w.moments {
		w.ask(m, true)
	}
}

func (w *differential) drop(c *client.Client) {
	if _, err := c.DeleteStore(w.t.Context(), w.store.Name()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *differential) replaceSchema() {
	w.text, w.module = w.schema(w.t)
	request := api.PutSchemaRequest{Orphans: choose(w.draw, []api.Orphans{api.DeleteOrphans, api.IgnoreOrphans})}
	request.Files = []api.SchemaFile{{Name: "main.pemba", Text: w.text}}
	put, err := w.store.PutSchema(w.t.Context(), request)
	if err != nil {
		w.t.Fatalf("seed %d: %v\n%s", w.seed, err, w.text)
	}
	maps.DeleteFunc(w.tuples, func(_ tuple.Key, t tuple.Tuple) bool { return w.module.Admission.Admit(t) != nil })
	w.remember(put.Token)
}

func (w *differential) remember(token tuple.Token) {
	list := slices.SortedFunc(maps.Values(w.tuples), func(a, b tuple.Tuple) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	w.moments = append(w.moments, moment{token, w.now(), w.text, w.module, list})
	w.tick()
}

// write touches and deletes some tuples in one request.
func (w *differential) write() {
	var request api.WriteRequest
	after := maps.Clone(w.tuples)
	named := map[tuple.Key]bool{}
	add := func(op api.Op, t tuple.Tuple) {
		if !named[t.Key] {
			named[t.Key] = true
			request.Operations = append(request.Operations, api.Operation{Op: op, Tuple: api.FromTuple(t)})
			if delete(after, t.Key); op == api.Touch {
				after[t.Key] = t
			}
		}
	}
	add(api.Touch, tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: "key", ID: "0"}, Relation: "owner", Subject: tuple.Subject{Type: "user", ID: "0"}}})
	for range 15 + w.IntN(40) {
		t, ok := w.tuple(w.module, w.now())
		if ok && (t.Relation != "owner" || t.Object.ID == t.Subject.ID) { // an owner each: at most 1
			add(api.Touch, t)
		}
	}
	for _, t := range w.tuples {
		if w.chance(15) {
			t.Condition, t.Expires = tuple.Condition{}, time.Time{}
			add(api.Delete, t)
		}
	}
	written, err := w.store.Write(w.t.Context(), request)
	if err != nil {
		w.t.Fatalf("seed %d: %v\n%s", w.seed, err, w.text)
	}
	w.tuples = after
	w.remember(written.Token)
}

// asking is what a question is asked with, here and there.
type asking struct {
	moment
	consistency *api.Consistency
	at          time.Time
	context     api.Context
	contextual  []tuple.Tuple
}

// instant is what the question is judged at: the one asked for, of a snapshot its
// log time, else now.
func (w *differential) instant(a asking) time.Time {
	switch {
	case !a.at.IsZero():
		return a.at
	case a.consistency != nil && a.consistency.AtExactSnapshot != nil:
		return a.logged
	}
	return w.now()
}

// ask asks everything about a moment: of the head, or as a snapshot of the past.
func (w *differential) ask(m moment, past bool) {
	a := asking{moment: m, consistency: choose(w.draw, []*api.Consistency{nil, api.AtLeastAsFresh(m.token), api.FullyConsistent()})}
	if past {
		a.consistency = api.AtExactSnapshot(m.token)
	}
	if w.chance(30) {
		a.at = m.logged.Add(time.Duration(w.IntN(5)-1) * time.Second)
	}
	w.checks(a)
	for range 3 {
		a.context, a.contextual = w.bring(m)
		w.lookups(a)
	}
	w.reads(a)
}

func (w *differential) bring(m moment) (api.Context, []tuple.Tuple) {
	var contextual []tuple.Tuple
	if w.chance(40) {
		seen := map[tuple.Key]bool{}
		for range 1 + w.IntN(3) {
			if t, ok := w.tuple(m.module, m.logged); ok && t.Relation != "owner" && !seen[t.Key] {
				seen[t.Key] = true
				contextual = append(contextual, t)
			}
		}
	}
	return choose(w.draw, contexts), contextual
}

// view is the moment as the engine sees it without a server.
func (w *differential) view(a asking, at time.Time) engine.View {
	reader, err := memory.New(a.module.Schema, a.tuples)
	if err != nil {
		w.t.Fatal(err)
	}
	request, err := condition.NewRequest(a.context, at)
	if err != nil {
		w.t.Fatal(err)
	}
	return engine.View{Schema: a.module.Schema, Admission: a.module.Admission.Index(), Reader: reader, Now: at, Context: request, Contextual: a.contextual}
}

func (a asking) wireBrought() api.Brought {
	return api.Brought{Context: a.context, ContextualTuples: api.FromTuples(a.contextual)}
}

func (a asking) wireMoment() api.Moment { return api.Moment{Consistency: a.consistency, At: a.at} }

// checks asks a batch in which questions bring different things, and some of them alone.
func (w *differential) checks(a asking) {
	request := api.BatchRequest{Moment: a.wireMoment()}
	var askings []asking
	var questions []engine.Question
	for range 3 {
		a.context, a.contextual = w.bring(a.moment)
		for range 12 {
			q := engine.Question{Object: tuple.Object{Type: choose(w.draw, holders), ID: w.id()}, Permission: choose(w.draw, names), Subject: w.subject()}
			questions, askings = append(questions, q), append(askings, a)
			request.Checks = append(request.Checks, api.Question{Object: q.Object.String(), Permission: q.Permission, Subject: q.Subject.String(),
				Brought: a.wireBrought()})
		}
	}
	response, err := w.store.CheckBatch(w.t.Context(), request)
	if err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	if at := w.instant(a); !response.EvaluatedAt.Equal(at) {
		w.t.Errorf("seed %d: evaluated at %s, want %s", w.seed, response.EvaluatedAt, at)
	}
	for i, r := range response.Results {
		answer, err := engine.Check(w.t.Context(), w.view(askings[i], response.EvaluatedAt), questions[i])
		want := said(answer, err)
		tally[strings.Fields(want)[0]]++
		asked := fmt.Sprintf("%s %s %s", request.Checks[i].Subject, request.Checks[i].Permission, request.Checks[i].Object)
		got := result(r)
		w.compare(askings[i], asked, said(got.Answer, got.Err), want)
		if i%9 == 0 {
			one, err := w.store.Check(w.t.Context(), api.CheckRequest{Question: request.Checks[i], Moment: a.wireMoment()})
			got := result(api.BatchResult{Answer: &one.Answer, Problem: api.AsProblem(err)})
			w.compare(askings[i], "alone: "+asked, said(got.Answer, got.Err), want)
		}
	}
}

func (w *differential) compare(a asking, what, got, want string) {
	w.t.Helper()
	w.asked++
	if got == want {
		return
	}
	var b strings.Builder
	for _, t := range a.tuples {
		fmt.Fprintln(&b, t)
	}
	w.t.Errorf("seed %d: %s\n got  %s\n want %s\nat %s, context %s, contextual %v, consistency %+v\n%s%s", w.seed, what, got, want,
		a.at, a.context, a.contextual, a.consistency, a.text, b.String())
}

// said is an answer in words. What fails must fail on both sides.
func said(a engine.Answer, err error) string {
	switch {
	case err != nil:
		return "error"
	case a.Outcome == engine.Allowed:
		return "allowed"
	case a.Outcome == engine.Conditional:
		return "conditional " + strings.Join(a.Missing, ",")
	}
	return "denied"
}

// lookups asks the three lookups once in one stream and once in small pages.
func (w *differential) lookups(a asking) {
	objects := api.LookupObjectsRequest{ObjectType: choose(w.draw, holders), Permission: choose(w.draw, names), Subject: w.subject().String(),
		Brought: a.wireBrought(), Moment: a.wireMoment()}
	subjects := api.LookupSubjectsRequest{Object: choose(w.draw, holders) + ":" + w.id(), Permission: choose(w.draw, names), SubjectType: choose(w.draw, kinds),
		Brought: a.wireBrought(), Moment: a.wireMoment()}
	if subjects.SubjectType != "user" && w.chance(40) {
		subjects.SubjectRelation = choose(w.draw, names)
	}
	permissions := api.LookupPermissionsRequest{Object: subjects.Object, Subject: objects.Subject,
		Brought: a.wireBrought(), Moment: a.wireMoment()}
	limit := 1 + w.IntN(3)
	ctx := w.t.Context()

	who, _ := tuple.ParseSubject(objects.Subject)
	on, _ := tuple.ParseObject(subjects.Object)
	at := w.instant(a)
	w.list(a, fmt.Sprintf("objects %+v", objects), func() (list []string, err error) {
		for f, err := range engine.StreamObjects(ctx, w.view(a, at), engine.ObjectsQuestion{Type: objects.ObjectType, Permission: objects.Permission, Subject: who}, "") {
			if err != nil {
				return nil, err
			}
			list = append(list, f.Object.String()+" "+said(f.Answer, nil))
		}
		return list, nil
	}, entries(w.store.Objects(ctx, objects), func(f api.FoundObject) string { return f.Object + " " + found(f.Result, f.Missing) }),
		pages(func(cursor string) ([]api.FoundObject, string, api.Evaluated, error) {
			objects.Limit, objects.Cursor = limit, cursor
			p, err := w.store.LookupObjects(ctx, objects)
			return p.Objects, p.Cursor, p.Evaluated, err
		}, func(f api.FoundObject) string { return f.Object + " " + found(f.Result, f.Missing) }))
	w.list(a, fmt.Sprintf("subjects %+v", subjects), func() (list []string, err error) {
		q := engine.SubjectsQuestion{Object: on, Permission: subjects.Permission, Type: subjects.SubjectType, Relation: subjects.SubjectRelation}
		for f, err := range engine.StreamSubjects(ctx, w.view(a, at), q, "") {
			if err != nil {
				return nil, err
			}
			list = append(list, f.Subject.String()+" "+strings.Replace(said(f.Answer, nil), "denied", "excluded", 1))
		}
		return list, nil
	}, entries(w.store.Subjects(ctx, subjects), func(f api.FoundSubject) string { return f.Subject + " " + found(f.Result, f.Missing) }),
		pages(func(cursor string) ([]api.FoundSubject, string, api.Evaluated, error) {
			subjects.Limit, subjects.Cursor = limit, cursor
			p, err := w.store.LookupSubjects(ctx, subjects)
			return p.Subjects, p.Cursor, p.Evaluated, err
		}, func(f api.FoundSubject) string { return f.Subject + " " + found(f.Result, f.Missing) }))
	w.list(a, fmt.Sprintf("permissions %+v", permissions), func() (list []string, err error) {
		all, err := engine.LookupPermissions(ctx, w.view(a, at), on, who)
		for _, f := range all {
			if f.Answer.Outcome != engine.Denied {
				list = append(list, f.Name+" "+said(f.Answer, nil))
			}
		}
		return list, err
	}, entries(w.store.Permissions(ctx, permissions), func(f api.FoundPermission) string { return f.Permission + " " + found(f.Result, f.Missing) }),
		pages(func(cursor string) ([]api.FoundPermission, string, api.Evaluated, error) {
			permissions.Limit, permissions.Cursor = limit, cursor
			p, err := w.store.LookupPermissions(ctx, permissions)
			return p.Permissions, p.Cursor, p.Evaluated, err
		}, func(f api.FoundPermission) string { return f.Permission + " " + found(f.Result, f.Missing) }))
}

// found is an entry's result in the words of said.
func found(r api.Result, missing []string) string {
	if r == api.Conditional {
		return "conditional " + strings.Join(missing, ",")
	}
	return string(r)
}

func entries[T any](stream iter.Seq2[T, error], text func(T) string) func() ([]string, error) {
	return func() (list []string, err error) {
		for f, err := range stream {
			if err != nil {
				return nil, err
			}
			list = append(list, text(f))
		}
		return list, nil
	}
}

// pages reads a list page by page; all of them must be of one revision and instant.
func pages[T any](page func(cursor string) ([]T, string, api.Evaluated, error), text func(T) string) func() ([]string, error) {
	return func() (list []string, err error) {
		var first api.Evaluated
		for cursor, n := "", 0; ; n++ {
			entries, next, evaluated, err := page(cursor)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				first = evaluated
			}
			if !first.EvaluatedAt.Equal(evaluated.EvaluatedAt) {
				return nil, fmt.Errorf("page %d is of %s, the first one of %s", n, evaluated.EvaluatedAt, first.EvaluatedAt)
			}
			for _, f := range entries {
				list = append(list, text(f))
			}
			if cursor = next; cursor == "" {
				return list, nil
			}
		}
	}
}

// list compares the three ways to a list. Of a list with an error somewhere, the
// first pages may be without it, so nothing is asked but that it ends in one.
func (w *differential) list(a asking, what string, want, stream, paged func() ([]string, error)) {
	w.t.Helper()
	text := func(list []string, err error) string {
		if err != nil {
			return "error"
		}
		return strings.Join(list, "; ")
	}
	wanted := text(want())
	w.compare(a, "stream of "+what, text(stream()), wanted)
	w.compare(a, "pages of "+what, text(paged()), wanted)
}
