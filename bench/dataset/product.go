package dataset

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/examples"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Product is one of the four example access models, with made-up customers. All
// of its tuples are kept, for the evaluator is the plain one.
type Product struct {
	name   string
	schema string
	tuples []tuple.Tuple
	plain  *plain
	draw   func(*rand.Rand) (tuple.Object, []string, tuple.Subject)
}

// Products lists the products by name.
func Products() []string { return slices.Clone(examples.Names) }

// customers makes tuples until there are enough, and questions about them.
type customers struct {
	seed   uint64
	number uint64 // the customer, workspace or project being made
	tuples []tuple.Tuple
}

// NewProduct returns a product's access model over about size tuples.
func NewProduct(name string, size int, seed uint64) (*Product, error) {
	kinds := map[string]struct {
		begin func(*customers)
		add   func(*customers)
		draw  func(*customers, *rand.Rand) (tuple.Object, []string, tuple.Subject)
	}{
		"ptolemy":             {ptolemySystem, ptolemyWorkspace, ptolemyQuestion},
		"cloud-observability": {cloudOrganization, cloudProject, cloudQuestion},
		"observe":             {observeTenant, observeTeam, observeQuestion},
		"portkey":             {func(*customers) {}, portkeyOrganization, portkeyQuestion},
	}
	kind, ok := kinds[name]
	if !ok {
		return nil, fmt.Errorf("there is no product %q: the products are %v", name, examples.Names)
	}
	text, err := examples.Files.ReadFile(name + "/schema.pemba")
	if err != nil {
		return nil, err
	}
	c := &customers{seed: seed}
	kind.begin(c)
	for len(c.tuples) < size {
		kind.add(c)
		c.number++
	}
	p := &Product{name: fmt.Sprintf("%s-%d-%d", name, size, seed), schema: string(text), tuples: c.tuples,
		draw: func(r *rand.Rand) (tuple.Object, []string, tuple.Subject) { return kind.draw(c, r) }}
	p.plain, err = newPlain(name, p.schema, p.tuples, time.Now())
	return p, err
}

// Name returns the product, the size and the seed.
func (p *Product) Name() string { return p.name }

// Schema returns the example's schema.
func (p *Product) Schema() string { return p.schema }

// Tuples yields all tuples.
func (p *Product) Tuples() iter.Seq[tuple.Tuple] { return slices.Values(p.tuples) }

// Questions asks for every permission of the objects that products are about,
// half of the time about somebody of the same customer.
func (p *Product) Questions(seed uint64, n int) []Question {
	random := rand.New(rand.NewPCG(uint64(len(p.tuples)), seed))
	list := make([]Question, 0, n)
	for i := range n {
		for allowed := i%2 == 0; ; {
			object, permissions, subject := p.draw(random)
			permission := permissions[random.IntN(len(permissions))]
			if p.plain.allowed(object, permission, subject) == allowed {
				list = append(list, Question{object, permission, subject, allowed})
				break
			}
		}
	}
	random.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func (c *customers) add(object, relation string, subject tuple.Subject) {
	o, err := tuple.ParseObject(object)
	if err != nil {
		panic(err) // the generators below write them
	}
	c.tuples = append(c.tuples, edge(o.Type, o.ID, relation, subject))
}

// until adds a tuple that expires.
func (c *customers) until(object, relation string, subject tuple.Subject, when time.Time) {
	c.add(object, relation, subject)
	c.tuples[len(c.tuples)-1].Expires = when
}

// roll is a random number below n, of this customer and a place within it.
func (c *customers) roll(place, n int) int {
	return int(roll(c.seed, uint64(place), c.number, 0) % uint64(n))
}

// expiry is long past for one in ten and far ahead for the others.
func (c *customers) expiry(place int) time.Time {
	if c.roll(place, 10) == 0 {
		return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
}

func object(typ string, customer uint64, n int) tuple.Object {
	return tuple.Object{Type: typ, ID: fmt.Sprintf("c%d-%d", customer, n)}
}

func subjectOf(typ string, customer uint64, n int) tuple.Subject {
	return tuple.Subject{Type: typ, ID: fmt.Sprintf("c%d-%d", customer, n)}
}
