// Package bench loads a running server over HTTP as an application would: many
// workers that check and write at once, and every answer is compared with the
// one that the dataset implies. Call Load first, which fills a store of its own,
// then Run.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
)

// Config says how large the load is. The zero value of a field is its default.
type Config struct {
	Client    *client.Client
	Store     string        // "bench"; made by Load, and nothing else should be in it
	Users     int           // 1,000
	Groups    int           // 100, nested in a tree ten wide
	Documents int           // 10,000, each shown to one group and kept from one user
	Workers   int           // 8 requests under way at once
	Duration  time.Duration // 10 s
	Writes    float64       // share of requests that write: 0 is none, 1 is all
	Seed      uint64        // of the choice of questions
}

func (c Config) withDefaults() Config {
	c.Store = or(c.Store, "bench")
	c.Users = or(c.Users, 1_000)
	c.Groups = or(c.Groups, 100)
	c.Documents = or(c.Documents, 10_000)
	c.Workers = or(c.Workers, 8)
	c.Duration = or(c.Duration, 10*time.Second)
	return c
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// Load fills the store with the schema and the dataset, and says how many tuples
// that are. What is there already is written once more and changes nothing.
func Load(ctx context.Context, config Config) (tuples int, err error) {
	c := config.withDefaults()
	if _, err := c.Client.PutStore(ctx, c.Store); err != nil {
		return 0, fmt.Errorf("bench: store %s: %w", c.Store, err)
	}
	store := c.Client.Store(c.Store)
	_, err = store.PutSchema(ctx, api.PutSchemaRequest{SchemaSource: api.SchemaSource{
		Files: []api.SchemaFile{{Name: "bench.pemba", Text: schemaText}}}})
	if err != nil {
		return 0, fmt.Errorf("bench: schema: %w", err)
	}
	const batch = 500
	var pending []api.Tuple
	flush := func() error {
		if len(pending) == 0 {
			return nil
		}
		_, err := store.Touch(ctx, pending...)
		tuples += len(pending)
		pending = pending[:0]
		return err
	}
	for t := range c.tuples() {
		if pending = append(pending, t); len(pending) == batch {
			if err := flush(); err != nil {
				return tuples, fmt.Errorf("bench: tuples: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return tuples, fmt.Errorf("bench: tuples: %w", err)
	}
	return tuples, nil
}

// Run sends requests for the configured time, or until the context ends, and
// says how they went.
func Run(ctx context.Context, config Config) (Result, error) {
	c := config.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, c.Duration)
	defer cancel()
	workers := make([]*worker, c.Workers)
	var wg sync.WaitGroup
	begin := time.Now()
	for i := range workers {
		w := &worker{config: c, id: i, store: c.Client.Store(c.Store), random: rand.New(rand.NewPCG(c.Seed, uint64(i)))}
		workers[i] = w
		wg.Go(func() { w.work(ctx) })
	}
	wg.Wait()
	return collect(workers, time.Since(begin)), nil
}

// worker sends one request after the other.
type worker struct {
	config Config
	id     int
	store  *client.Store
	random *rand.Rand
	checks samples
	writes samples
	serial int
}

func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		if w.random.Float64() < w.config.Writes {
			w.write(ctx)
		} else {
			w.check(ctx)
		}
	}
}

func (w *worker) check(ctx context.Context) {
	user, document := w.random.IntN(w.config.Users), w.random.IntN(w.config.Documents)
	begin := time.Now()
	answer, err := w.store.Check(ctx, api.CheckRequest{Question: api.Question{
		Object: documentName(document), Permission: "view", Subject: userName(user)}})
	took := time.Since(begin)
	if ctx.Err() != nil {
		return
	}
	w.checks.add(took, err)
	if err == nil && answer.Allowed != w.config.mayView(user, document) {
		w.checks.wrong++
	}
}

// write adds a tuple that no question asks about.
func (w *worker) write(ctx context.Context) {
	w.serial++
	begin := time.Now()
	_, err := w.store.Touch(ctx, api.Tuple{
		Object: fmt.Sprintf("document:w%d-%d", w.id, w.serial), Relation: "viewer", Subject: userName(w.random.IntN(w.config.Users))})
	took := time.Since(begin)
	if ctx.Err() == nil {
		w.writes.add(took, err)
	}
}
