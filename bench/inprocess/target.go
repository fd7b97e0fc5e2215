package inprocess

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/engine"
)

// Target is the engine in this process over a folder's state: a bench.Target.
// Each request opens a view of its own, as a server would. Writes go through Raft
// and belong to a server, so it has none.
type Target struct {
	name  string
	dir   string
	store *Store
}

// NewTarget keeps the data in a folder.
func NewTarget(name, dir string) *Target { return &Target{name: name, dir: dir} }

// Name returns the name that results go by.
func (t *Target) Name() string { return t.name }

// Load fills the folder, or finds the dataset there.
func (t *Target) Load(_ context.Context, d dataset.Dataset, progress func(tuples int)) (err error) {
	t.store, err = open(t.dir, d, progress)
	return err
}

// Close closes the files.
func (t *Target) Close() error {
	if t.store == nil {
		return nil
	}
	return t.store.Close()
}

// client asks the next of n requests over a view of its own.
type client struct {
	store *Store
	n     int
	next  int
	ask   func(ctx context.Context, v engine.View, i int) error
}

// Do makes the next request.
func (c *client) Do(ctx context.Context) error {
	v, done, err := c.store.View()
	if err != nil {
		return err
	}
	defer done()
	i := c.next
	if c.next++; c.next == c.n {
		c.next = 0
	}
	return c.ask(ctx, v, i)
}

// Close does nothing.
func (c *client) Close() error { return nil }

func (t *Target) operation(name string, items, n int, ask func(ctx context.Context, v engine.View, i int) error) (load.Operation, error) {
	if t.store == nil {
		return load.Operation{}, errors.New("bench: nothing is loaded in process")
	}
	if n == 0 {
		return load.Operation{}, errors.New("bench: there is nothing to ask")
	}
	return load.Operation{Name: name, Items: items, Local: true, Client: func(i int) (load.Client, error) {
		return &client{store: t.store, n: n, next: i * 7919 % n, ask: ask}, nil
	}}, nil
}

func inEngine(q *dataset.Question) engine.Question {
	return engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject}
}

func judge(q *dataset.Question, a engine.Answer) error {
	words := [...]string{engine.Denied: "denied", engine.Conditional: "conditional", engine.Allowed: "allowed"}
	want := engine.Denied
	if q.Allowed {
		want = engine.Allowed
	}
	if a.Outcome == want {
		return nil
	}
	return &load.WrongAnswer{Question: fmt.Sprintf("%v %s %v", q.Subject, q.Permission, q.Object), Got: words[a.Outcome], Want: words[want]}
}

// Checks asks one question per request.
func (t *Target) Checks(questions []dataset.Question) (load.Operation, error) {
	return t.operation("check", 1, len(questions), func(ctx context.Context, v engine.View, i int) error {
		a, err := engine.Check(ctx, v, inEngine(&questions[i]))
		if err != nil {
			return err
		}
		return judge(&questions[i], a)
	})
}

// Batches asks so many questions over one view.
func (t *Target) Batches(questions []dataset.Question, items int) (load.Operation, error) {
	groups := slices.Collect(slices.Chunk(questions, items))
	if len(questions)%items > 0 {
		groups = groups[:len(groups)-1]
	}
	asked := make([][]engine.Question, len(groups))
	for i, g := range groups {
		for j := range g {
			asked[i] = append(asked[i], inEngine(&g[j]))
		}
	}
	return t.operation(fmt.Sprintf("batch of %d", items), items, len(groups), func(ctx context.Context, v engine.View, i int) error {
		results, err := engine.CheckAll(ctx, v, asked[i])
		if err != nil {
			return err
		}
		for j, r := range results {
			if r.Err != nil {
				return r.Err
			}
			if err := judge(&groups[i][j], r.Answer); err != nil {
				return err
			}
		}
		return nil
	})
}

// Objects asks for lists of objects.
func (t *Target) Objects(lists []dataset.ObjectList, limit int) (load.Operation, error) {
	name := "objects, whole list"
	if limit > 0 {
		name = fmt.Sprintf("objects, first %d", limit)
	}
	wants := make([]load.List, len(lists))
	for i, l := range lists {
		wants[i] = load.NewList(fmt.Sprintf("%ss that %v may %s", l.Type, l.Subject, l.Permission), l.IDs, limit)
	}
	return t.operation(name, 1, len(lists), func(ctx context.Context, v engine.View, i int) error {
		l := &lists[i]
		p, err := engine.LookupObjects(ctx, v, engine.ObjectsQuestion{Type: l.Type, Permission: l.Permission, Subject: l.Subject}, engine.Page{Limit: limit})
		if err != nil {
			return err
		}
		c := wants[i].Compare()
		for j := range p.Found {
			c.AddText(p.Found[j].Object.ID)
		}
		return c.Err()
	})
}

// Subjects asks for lists of subjects.
func (t *Target) Subjects(lists []dataset.SubjectList) (load.Operation, error) {
	wants := make([]load.List, len(lists))
	for i, l := range lists {
		wants[i] = load.NewList(fmt.Sprintf("%ss that may %s %v", l.Type, l.Permission, l.Object), l.IDs, 0)
	}
	return t.operation("subjects, whole list", 1, len(lists), func(ctx context.Context, v engine.View, i int) error {
		l := &lists[i]
		p, err := engine.LookupSubjects(ctx, v, engine.SubjectsQuestion{Object: l.Object, Permission: l.Permission, Type: l.Type}, engine.Page{})
		if err != nil {
			return err
		}
		c := wants[i].Compare()
		for j := range p.Found {
			c.AddText(p.Found[j].Subject.ID)
		}
		return c.Err()
	})
}

// Writes has none.
func (t *Target) Writes(dataset.Full, int) (load.Operation, error) {
	return load.Operation{}, noWrites()
}

// Mixed has none.
func (t *Target) Mixed(dataset.Full, []dataset.Question, float64) (load.Operation, error) {
	return load.Operation{}, noWrites()
}

func noWrites() error { return fmt.Errorf("writes go through a server: %w", errors.ErrUnsupported) }
