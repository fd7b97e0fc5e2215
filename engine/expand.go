package engine

import (
	"context"
	"fmt"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// ExpandOptions bounds a tree.
type ExpandOptions struct {
	Depth int // levels of usersets to open; 0 is all
	Nodes int // most nodes and leaves; 0 is DefaultTreeNodes. A larger tree is an error
}

// DefaultTreeNodes is the bound of a tree where ExpandOptions says nothing.
const DefaultTreeNodes = 100_000

// Expand returns the tree of usersets that makes up object#name, whole: it has
// no subject in it, and the tuples in it are those that are live at the view's
// instant. A condition that fails is an error.
func Expand(ctx context.Context, v View, o tuple.Object, name string, options ExpandOptions) (*Tree, error) {
	e, err := begin(ctx, &v)
	if err != nil {
		return nil, err
	}
	defer e.end()
	n, relation, err := e.target(o, name)
	if err != nil {
		return nil, err
	}
	x := expander{e: e, options: options, left: options.Nodes, opened: map[tuple.Ref]bool{}}
	if x.left <= 0 {
		x.left = DefaultTreeNodes
	}
	x.options.Nodes = x.left
	x.actors = map[tuple.TypeID][]acting{}
	for _, t := range e.schema.Types {
		for i := range t.Acts {
			x.actors[t.Acts[i].On] = append(x.actors[t.Acts[i].On], acting{t, &t.Acts[i]})
		}
	}
	root, err := x.userset(tuple.Ref{Node: n, Relation: relation}, 0, nil)
	if err != nil {
		return nil, err
	}
	for len(x.queue) > 0 {
		next := x.queue[0]
		x.queue = x.queue[1:]
		if err := x.open(next); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// expander builds a tree by breadth, so that what a depth leaves out is never
// opened elsewhere below it.
type expander struct {
	e       *evaluation
	options ExpandOptions
	left    int
	opened  map[tuple.Ref]bool
	queue   []unopened
	actors  map[tuple.TypeID][]acting // by the type that is acted on
}

// acting is a type that acts for its owners on another.
type acting struct {
	typ  *schema.Type
	acts *schema.Acts
}

type unopened struct {
	tree  *Tree
	at    tuple.Ref
	depth int
}

func (x *expander) take() error {
	if x.left--; x.left < 0 {
		return fmt.Errorf("%w: the tree has more than %d nodes; ask for less depth, or raise the limit", ErrBudget, x.options.Nodes)
	}
	return x.e.pace()
}

// userset makes the node of object#relation and leaves it to be opened.
func (x *expander) userset(at tuple.Ref, depth int, via *Leaf) (*Tree, error) {
	if err := x.take(); err != nil {
		return nil, err
	}
	s, err := x.e.subjectNamed(at)
	if err != nil {
		return nil, err
	}
	t := &Tree{Kind: TreeUserset, Object: s.Object(), Relation: s.Relation, Via: via}
	switch {
	case x.opened[at]:
		t.Back = true
	case x.options.Depth > 0 && depth >= x.options.Depth:
		t.Cut = true
	default:
		x.opened[at] = true
		x.queue = append(x.queue, unopened{t, at, depth})
	}
	return t, nil
}

// open fills the node of object#relation.
func (x *expander) open(u unopened) error {
	r := x.e.schema.Relation(u.at.Relation)
	if r == nil || r.Rewrite == nil {
		return nil
	}
	for _, a := range x.actors[r.Type.ID] {
		actor := Actor{Type: a.typ.Name}
		if owner := x.e.schema.Relation(a.acts.Owner); owner != nil && a.acts.Permissions[r.ID] {
			actor.Owner = owner.Name
		}
		u.tree.Actors = append(u.tree.Actors, actor)
	}
	var child *Tree
	var err error
	if fixed, ok := r.Sealed[u.tree.Object.ID]; ok {
		child, err = x.sealed(u, r, fixed)
	} else {
		child, err = x.expr(u, r, r.Rewrite)
	}
	u.tree.Children = []*Tree{child}
	return err
}

func (x *expander) sealed(u unopened, r *schema.Relation, fixed []schema.FixedSubject) (*Tree, error) {
	t := &Tree{Kind: TreeSealed}
	for _, f := range fixed {
		n, err := x.e.fixedNode(f)
		if err != nil {
			return nil, err
		}
		edge := tuple.Edge{Ref: tuple.Ref{Node: n, Relation: f.Relation}}
		if err := x.leaf(t, u, r, &edge); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// leaf adds a subject, and where that is a userset the node to open it.
func (x *expander) leaf(t *Tree, u unopened, r *schema.Relation, edge *tuple.Edge) error {
	leaf, err := x.judged(u.at.Node, r, edge)
	if err != nil {
		return err
	}
	t.Leaves = append(t.Leaves, *leaf)
	if edge.Ref.Relation == 0 {
		return nil
	}
	child, err := x.userset(edge.Ref, u.depth+1, leaf)
	t.Children = append(t.Children, child)
	return err
}

// judged returns an edge as a tuple with what its condition says.
func (x *expander) judged(n tuple.Node, r *schema.Relation, edge *tuple.Edge) (*Leaf, error) {
	if err := x.take(); err != nil {
		return nil, err
	}
	t, err := x.e.tuple(n, r, edge)
	if err != nil {
		return nil, err
	}
	answer, err := x.e.answer(x.e.guard(edge))
	if err != nil {
		return nil, fmt.Errorf("tuple %s: %w", t.Key, err)
	}
	return &Leaf{Tuple: t, Answer: answer}, nil
}

func (x *expander) expr(u unopened, r *schema.Relation, expr *schema.Expr) (*Tree, error) {
	if err := x.take(); err != nil {
		return nil, err
	}
	switch expr.Kind {
	case schema.Direct:
		return x.direct(u, r)
	case schema.Self:
		return &Tree{Kind: TreeSelf, Object: u.tree.Object}, nil
	case schema.Computed:
		return x.userset(tuple.Ref{Node: u.at.Node, Relation: expr.Relation}, u.depth+1, nil)
	case schema.Fixed:
		n, err := x.e.fixedNode(expr.Object)
		if err != nil {
			return nil, err
		}
		return x.userset(tuple.Ref{Node: n, Relation: expr.Relation}, u.depth+1, nil)
	case schema.Arrow:
		return x.arrow(u, expr, &Tree{Kind: TreeArrow})
	case schema.Every:
		return x.arrow(u, expr, &Tree{Kind: TreeEvery})
	case schema.Union:
		return x.operands(u, r, expr, &Tree{Kind: TreeUnion})
	case schema.Intersection:
		return x.operands(u, r, expr, &Tree{Kind: TreeIntersection})
	case schema.Exclusion:
		return x.operands(u, r, expr, &Tree{Kind: TreeExclusion})
	}
	return &Tree{Kind: TreeNobody}, nil
}

func (x *expander) operands(u unopened, r *schema.Relation, expr *schema.Expr, t *Tree) (*Tree, error) {
	for _, o := range expr.Operands {
		child, err := x.expr(u, r, o)
		if err != nil {
			return nil, err
		}
		t.Children = append(t.Children, child)
	}
	return t, nil
}

func (x *expander) direct(u unopened, r *schema.Relation) (*Tree, error) {
	t := &Tree{Kind: TreeTuples}
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return x.e.graph.Subjects(u.at.Node, r.ID, from, into)
	}) {
		if err != nil {
			return nil, err
		}
		typ, star, err := x.e.typeOf(edge.Ref)
		if err != nil {
			return nil, err
		}
		if !x.e.admitted(&edge, r, typ, star) {
			continue
		}
		if err := x.leaf(t, u, r, &edge); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// arrow opens what the tuples of a relation lead to. What has no such name is
// skipped by an arrow, and is nobody under every.
func (x *expander) arrow(u unopened, expr *schema.Expr, t *Tree) (*Tree, error) {
	tupleset := x.e.schema.Relation(expr.Relation)
	if tupleset == nil {
		return t, nil
	}
	edges, err := x.e.live(nil, u.at.Node, tupleset)
	if err != nil {
		return nil, err
	}
	for i := range edges {
		typ, _, err := x.e.typeOf(edges[i].Ref)
		if err != nil {
			return nil, err
		}
		target := expr.Target(typ)
		if target == 0 && t.Kind == TreeArrow {
			continue
		}
		via, err := x.judged(u.at.Node, tupleset, &edges[i])
		if err != nil {
			return nil, err
		}
		child := &Tree{Kind: TreeNobody, Via: via}
		if target != 0 {
			if child, err = x.userset(tuple.Ref{Node: edges[i].Ref.Node, Relation: target}, u.depth+1, via); err != nil {
				return nil, err
			}
		}
		t.Children = append(t.Children, child)
	}
	return t, nil
}
