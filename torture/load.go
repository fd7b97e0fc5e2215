package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

const storeName = "torture"

const schemaText = `pemba 1

type user

type document {
  relation viewer: [user]
  relation editor: [user]

  permission view = viewer or editor
}
`

// load is the clients, and what they count.
type load struct {
	cluster *cluster
	history *history
	serial  atomic.Int64 // of everything that is written, so that nothing comes twice
	era     atomic.Int64 // registers of one are left alone in the next

	grows, swaps, refused, reads, fresh, exact, plain atomic.Int64
	unknown, settled, failed, imported                atomic.Int64
}

// prepare makes the store.
func (l *load) prepare(ctx context.Context) error {
	c := l.cluster.nodes[0].client
	if _, err := c.PutStore(ctx, storeName); err != nil {
		return err
	}
	_, err := c.Store(storeName).PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{
		Files: []api.SchemaFile{{Name: "torture.pemba", Text: schemaText}}}})
	return err
}

// client writes and asks until the context ends.
func (l *load) client(ctx context.Context, id int, random *rand.Rand) {
	failed := int64(0)
	for ctx.Err() == nil {
		request, cancel := context.WithTimeout(ctx, time.Duration(500+random.IntN(3000))*time.Millisecond)
		store := l.any(random)
		switch dice := random.IntN(100); {
		case l.failed.Load() > failed: // a node that is away would be asked all the time
			failed = l.failed.Load()
			time.Sleep(time.Duration(random.IntN(20)) * time.Millisecond)
		case dice < 40:
			l.grow(request, id, random)
		case dice < 60:
			l.swap(request, store, id, random)
		case dice < 70:
			l.read(request, store, id, l.register(random))
		default:
			l.ask(request, store, random)
		}
		cancel()
	}
}

func (l *load) any(random *rand.Rand) *client.Store {
	return l.cluster.nodes[random.IntN(len(l.cluster.nodes))].client.Store(storeName)
}

func (l *load) register(random *rand.Rand) string {
	return fmt.Sprintf("r%d-%d", l.era.Load(), random.IntN(4))
}

// settle sends a write, and where its outcome is unknown mostly again, with the
// same key, to any node, until it is known.
func (l *load) settle(ctx context.Context, random *rand.Rand, request api.WriteRequest) (api.WriteResponse, fate, error) {
	request.IdempotencyKey = strconv.FormatInt(l.serial.Add(1), 10)
	answer, err := l.any(random).Write(ctx, request)
	f := fateOf(err)
	if f != open {
		return answer, f, err
	}
	l.unknown.Add(1)
	for attempt := 0; random.IntN(4) > 0 && attempt < 20; attempt++ {
		time.Sleep(50 * time.Millisecond)
		again, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		answer, err = l.any(random).Write(again, request)
		cancel()
		// Only an answer about this very key settles it: that a repetition was not
		// done says nothing of the first attempt.
		if err == nil || rejected(err) {
			l.settled.Add(1)
			return answer, fateOf(err), err
		}
	}
	return answer, open, err
}

// fateOf says what an answer tells of a write.
func fateOf(err error) fate {
	if err == nil {
		return certain
	}
	if problem := api.AsProblem(err); problem != nil {
		switch problem.Code {
		case api.OutcomeUnknown, api.OutcomeUnknownExpired, api.Internal, api.StorageFailed:
			return open
		}
		return undone
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return undone
	}
	return open
}

// rejected says that the state machine judged the write and refused it.
func rejected(err error) bool {
	return errors.Is(err, api.PreconditionFailed) || errors.Is(err, api.TupleExists)
}

// grow adds a viewer whom nobody takes away again.
func (l *load) grow(ctx context.Context, id int, random *rand.Rand) {
	document, user := fmt.Sprint("g", id), fmt.Sprint(l.serial.Add(1))
	answer, f, err := l.settle(ctx, random, api.WriteRequest{Operations: []api.Operation{
		{Op: api.Create, Tuple: api.Tuple{Object: "document:" + document, Relation: "viewer", Subject: "user:" + user}}}})
	switch {
	case errors.Is(err, api.TupleExists):
		l.history.fault("creating %s of %s anew was refused: an attempt that was said not to be made was", user, document)
	case f == undone:
		l.failed.Add(1)
	case f == certain:
		l.grows.Add(1)
	}
	l.history.grew(document, user, f, err, answer.Token)
}

// swap replaces the editor of a register, if it is still the one that was read.
func (l *load) swap(ctx context.Context, store *client.Store, id int, random *rand.Rand) {
	register := l.register(random)
	from, _, err := value(ctx, store, register, api.MinimizeLatency())
	if err != nil {
		l.failed.Add(1)
		return
	}
	in := input{register: register, swap: true, from: from, to: int(l.serial.Add(1))}
	object := "document:" + register
	request := api.WriteRequest{Operations: []api.Operation{
		{Op: api.Create, Tuple: api.Tuple{Object: object, Relation: "editor", Subject: fmt.Sprint("user:", in.to)}}}}
	if from == 0 {
		request.Preconditions = []api.Precondition{{Must: api.NotMatch, Filter: api.Filter{Object: object, Relation: "editor"}}}
	} else {
		old := api.Tuple{Object: object, Relation: "editor", Subject: fmt.Sprint("user:", from)}
		request.Operations = append(request.Operations, api.Operation{Op: api.Delete, Tuple: old})
		request.Preconditions = []api.Precondition{{Must: api.Match, Filter: api.Filter{Object: object, Relation: "editor", Subject: old.Subject}}}
	}
	o := porcupine.Operation{ClientId: id, Input: in, Call: l.history.clock.Add(1)}
	answer, f, err := l.settle(ctx, random, request)
	out := output{refused: errors.Is(err, api.PreconditionFailed), unknown: f == open}
	o.Output, o.Return = out, l.history.clock.Add(1)
	switch {
	case out.unknown:
		o.Return = 1 << 60
	case out.refused:
		l.refused.Add(1)
	case f == undone:
		l.failed.Add(1)
		return
	default:
		l.swaps.Add(1)
	}
	l.history.swapped(o, answer.Token)
}

func (l *load) read(ctx context.Context, store *client.Store, id int, register string) {
	o := porcupine.Operation{ClientId: id, Input: input{register: register}, Call: l.history.clock.Add(1)}
	found, _, err := value(ctx, store, register, api.FullyConsistent())
	o.Output, o.Return = output{value: found}, l.history.clock.Add(1)
	if err != nil {
		l.failed.Add(1)
		return
	}
	l.reads.Add(1)
	l.history.swapped(o, "")
}

// value reads a register.
func value(ctx context.Context, store *client.Store, register string, c *api.Consistency) (int, tuple.Token, error) {
	answer, err := store.ReadTuples(ctx, api.ReadRequest{Filter: api.Filter{Object: "document:" + register, Relation: "editor"}, Consistency: c})
	if err != nil || len(answer.Tuples) == 0 {
		return 0, answer.Token, err
	}
	if len(answer.Tuples) > 1 {
		return 0, "", fmt.Errorf("the register %s holds %d values", register, len(answer.Tuples))
	}
	number, err := strconv.Atoi(strings.TrimPrefix(answer.Tuples[0].Subject, "user:"))
	return number, answer.Token, err
}

// ask checks a change that was acknowledged, at any node, with its token.
func (l *load) ask(ctx context.Context, store *client.Store, random *rand.Rand) {
	l.history.mu.Lock()
	if len(l.history.grants) == 0 {
		l.history.mu.Unlock()
		return
	}
	g := l.history.grants[len(l.history.grants)-1-random.IntN(min(len(l.history.grants), 100))]
	l.history.mu.Unlock()
	question := api.Question{Object: "document:" + g.document, Permission: "view", Subject: "user:" + g.user}
	consistency, count := api.AtLeastAsFresh(g.token), &l.fresh
	switch random.IntN(4) {
	case 0:
		consistency, count = api.AtExactSnapshot(g.token), &l.exact
	case 1:
		consistency, count = api.FullyConsistent(), &l.reads
	case 2: // without a token only what was never granted is certain
		question.Subject, consistency, count = "user:nobody", api.MinimizeLatency(), &l.plain
	}
	answer, err := store.Check(ctx, api.CheckRequest{Question: question, Moment: api.Moment{Consistency: consistency}})
	if err != nil {
		l.failed.Add(1)
		return
	}
	count.Add(1)
	if want := !g.gone && question.Subject != "user:nobody"; answer.Allowed != want {
		l.history.fault("%s view on %s is answered %v, not %v, under %+v", question.Subject, question.Object, answer.Allowed, want, *consistency)
	}
}

// imports loads tuples in large writes, for ever.
func (l *load) imports(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		var w api.WriteRequest
		batch := l.serial.Add(1)
		for i := range 500 {
			w.Operations = append(w.Operations, api.Operation{Op: api.Touch, Tuple: api.Tuple{
				Object: fmt.Sprintf("document:i%d-%d", batch, i), Relation: "viewer", Subject: "user:importer"}})
		}
		request, cancel := context.WithTimeout(ctx, 5*time.Second)
		if _, err := l.any(random).Write(request, w); err == nil {
			l.imported.Add(500)
		}
		cancel()
	}
}
