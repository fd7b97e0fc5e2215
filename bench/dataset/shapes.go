package dataset

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Shapes is one store with the graphs that make other engines slow or make them
// refuse: deep, wide, dense and circular. Its answers follow from how it is made.
type Shapes struct {
	members int
	kinds   []Shape
}

// Shape is one of the graphs, with questions about it.
type Shape struct {
	Name      string
	Says      string
	Questions []Question
	tuples    iter.Seq[tuple.Tuple]
}

const shapesSchema = `pemba 1

type user

type group {
  relation member: [user | group#member]
}

type document {
  relation viewer: [user | group#member]
  relation banned: [user]

  permission view = viewer except banned
}
`

// NewShapes returns all shapes; members is how many are in the large group, a
// million to show what a million costs.
func NewShapes(members int) *Shapes {
	return &Shapes{members: members, kinds: []Shape{
		chain(100), subgroups(10_000), lattice(10, 10), ring(10), crowd(members), joiner(10_000),
	}}
}

// Shapes lists the shapes.
func (s *Shapes) Shapes() []Shape { return s.kinds }

// Name returns shapes and the number of members.
func (s *Shapes) Name() string { return fmt.Sprintf("shapes-%d", s.members) }

// Schema returns the schema of all shapes.
func (s *Shapes) Schema() string { return shapesSchema }

// Tuples yields the tuples of all shapes.
func (s *Shapes) Tuples() iter.Seq[tuple.Tuple] {
	return func(yield func(tuple.Tuple) bool) {
		// The outsider is in a group, so that a walk from that end does not end at once.
		if !yield(edge("group", "elsewhere", "member", user("outsider"))) {
			return
		}
		for _, kind := range s.kinds {
			for t := range kind.tuples {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// Questions returns questions about all shapes, half of them denied.
func (s *Shapes) Questions(seed uint64, n int) []Question {
	random := rand.New(rand.NewPCG(uint64(s.members), seed))
	var allowed, denied []Question
	for _, kind := range s.kinds {
		for _, q := range kind.Questions {
			if q.Allowed {
				allowed = append(allowed, q)
			} else {
				denied = append(denied, q)
			}
		}
	}
	list := make([]Question, 0, n)
	for i := range n {
		from := allowed
		if i%2 == 1 {
			from = denied
		}
		list = append(list, from[random.IntN(len(from))])
	}
	return list
}

func mayView(document, user string, allowed bool) Question {
	return Question{Object: tuple.Object{Type: "document", ID: document}, Permission: "view",
		Subject: tuple.Subject{Type: "user", ID: user}, Allowed: allowed}
}

func member(group string, s tuple.Subject) tuple.Tuple { return edge("group", group, "member", s) }

func shown(document, group string) tuple.Tuple {
	return edge("document", document, "viewer", userset(group))
}

func chain(depth int) Shape {
	list := []tuple.Tuple{shown("chain", "chain-1"), member(fmt.Sprint("chain-", depth), user("last"))}
	for i := 1; i < depth; i++ {
		list = append(list, member(fmt.Sprint("chain-", i), userset(fmt.Sprint("chain-", i+1))))
	}
	return Shape{Name: "chain", Says: fmt.Sprintf("%d groups in one another", depth), tuples: slices.Values(list),
		Questions: []Question{mayView("chain", "last", true), mayView("chain", "outsider", false), mayView("chain", "nobody", false)}}
}

func subgroups(n int) Shape {
	name := func(i int) string { return fmt.Sprint("sub-", i) }
	s := Shape{Name: "subgroups", Says: fmt.Sprintf("a group of %d groups", n), Questions: []Question{
		mayView("subgroups", name(n/2), true), mayView("subgroups", name(n-1), true),
		mayView("subgroups", "outsider", false), mayView("subgroups", "nobody", false)}}
	s.tuples = func(yield func(tuple.Tuple) bool) {
		if !yield(shown("subgroups", "many")) {
			return
		}
		for i := range n {
			if !yield(member("many", userset(name(i)))) || !yield(member(name(i), user(name(i)))) {
				return
			}
		}
	}
	return s
}

// lattice has layers of groups, each group in all of the next: width^layers ways.
func lattice(layers, width int) Shape {
	name := func(layer, i int) string { return fmt.Sprintf("lattice-%d-%d", layer, i) }
	list := []tuple.Tuple{member(name(layers-1, 0), user("bottom"))}
	for i := range width {
		list = append(list, shown("lattice", name(0, i)))
		for layer := range layers - 1 {
			for j := range width {
				list = append(list, member(name(layer, i), userset(name(layer+1, j))))
			}
		}
	}
	return Shape{Name: "lattice", Says: fmt.Sprintf("%d layers of %d groups, each in all of the next", layers, width), tuples: slices.Values(list),
		Questions: []Question{mayView("lattice", "bottom", true), mayView("lattice", "outsider", false), mayView("lattice", "nobody", false)}}
}

func ring(n int) Shape {
	list := []tuple.Tuple{shown("ring", "ring-0"), member(fmt.Sprint("ring-", n/2), user("inside"))}
	for i := range n {
		list = append(list, member(fmt.Sprint("ring-", i), userset(fmt.Sprint("ring-", (i+1)%n))))
	}
	return Shape{Name: "cycle", Says: fmt.Sprintf("%d groups in a circle", n), tuples: slices.Values(list),
		Questions: []Question{mayView("ring", "inside", true), mayView("ring", "outsider", false), mayView("ring", "nobody", false)}}
}

func crowd(n int) Shape {
	name := func(i int) string { return fmt.Sprint("m-", i) }
	s := Shape{Name: "members", Says: fmt.Sprintf("a group of %d users", n), Questions: []Question{
		mayView("crowd", name(n/2), true), mayView("crowd", name(n-1), true), mayView("crowd", name(0), false),
		mayView("crowd", "outsider", false), mayView("crowd", "nobody", false)}}
	s.tuples = func(yield func(tuple.Tuple) bool) {
		if !yield(shown("crowd", "crowd")) || !yield(edge("document", "crowd", "banned", user(name(0)))) {
			return
		}
		for i := range n {
			if !yield(member("crowd", user(name(i)))) {
				return
			}
		}
	}
	return s
}

func joiner(n int) Shape {
	name := func(i int) string { return fmt.Sprint("joined-", i) }
	s := Shape{Name: "memberships", Says: fmt.Sprintf("a user in %d groups", n), Questions: []Question{
		mayView("joined", "joiner", true), mayView("apart", "joiner", false)}}
	s.tuples = func(yield func(tuple.Tuple) bool) {
		for _, t := range []tuple.Tuple{shown("joined", "joining"), member("joining", userset(name(n/2))), shown("apart", "apart"),
			member("apart", userset("apart-below")), member("apart-below", user("someone"))} {
			if !yield(t) {
				return
			}
		}
		for i := range n {
			if !yield(member(name(i), user("joiner"))) {
				return
			}
		}
	}
	return s
}
