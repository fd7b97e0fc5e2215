package engine

// A strongly connected part of the graph of atoms is solved when its last atom
// is complete. Its equations are a circuit of any-of, all-of and not cells; a
// least fixpoint over it costs one step per wire and change, of which there are
// two at most. Where the part holds a negation, the well-founded model is the
// alternating fixpoint of lower and upper bounds.

type operator uint8

const (
	anyOf operator = iota
	allOf
	notOf
)

// ref points to something open: a node (positive) or an atom (negative). 0 is nothing.
type ref int32

func atomRef(id int32) ref     { return -ref(id) - 1 }
func (r ref) atom() int32      { return int32(-r - 1) }
func (r ref) isAtom() bool     { return r < 0 }
func (r ref) nodeIndex() int32 { return int32(r) }

// node is an operator of an equation: its final operands folded into acc, its
// open ones a list of links.
type node struct {
	op    operator
	acc   value
	links int32
}

type link struct {
	to   ref
	next int32
}

func (e *evaluation) link(to ref, next int32) int32 {
	e.links = append(e.links, link{to, next})
	return int32(len(e.links) - 1)
}

func (e *evaluation) equation(n node) ref {
	e.nodes = append(e.nodes, n)
	return ref(len(e.nodes) - 1)
}

// guarded is an operand behind a tuple whose condition is uncertain.
func (e *evaluation) guarded(w why, r result) result {
	if r.open == 0 {
		return result{value: e.and(uncertain(w), r.value)}
	}
	return result{open: e.equation(node{op: allOf, acc: uncertain(w), links: e.link(r.open, 0)})}
}

func (e *evaluation) negated(r result) result {
	if r.open == 0 {
		return result{value: not(r.value)}
	}
	return result{open: e.equation(node{op: notOf, links: e.link(r.open, 0)})}
}

// closePart makes every atom from root on final and drops their equations.
func (e *evaluation) closePart(root, nodes, lists int32) error {
	first := len(e.open)
	isOpen := false
	for first > 0 && e.open[first-1] >= root {
		first--
		isOpen = isOpen || !e.atoms[e.open[first]].final
	}
	if isOpen {
		c := e.circuit(e.open[first:], nodes)
		if err := c.solve(); err != nil {
			return err
		}
		for _, i := range c.order {
			c.settle(i)
		}
		for i := range c.atoms {
			c.settle(int32(i))
		}
	}
	e.open = e.open[:first]
	e.nodes, e.links = e.nodes[:nodes], e.links[:lists]
	return nil
}

// circuit is a part's equations as cells with wires from operand to reader. The
// first cells are the open atoms, the others their nodes.
type circuit struct {
	e        *evaluation
	atoms    []int32
	cells    []cell
	wires    []int32 // readers of each cell, by first
	first    []int32 // where in wires the readers of a cell begin; one more at the end
	negation bool
	lower    bound
	upper    bound
	order    []int32 // cells of atoms in the order in which they came to hold
}

// cell is an operator with its final operands folded into acc.
type cell struct {
	op       operator
	operands int32 // how many are open
	negates  int32 // notOf: the cell that is negated
	acc      value
}

// circuit gathers the equations of the open atoms among members.
func (e *evaluation) circuit(members []int32, firstNode int32) *circuit {
	c := &circuit{e: e}
	at := map[int32]int32{}
	for _, id := range members {
		if !e.atoms[id].final {
			at[id] = int32(len(c.atoms))
			c.atoms = append(c.atoms, id)
		}
	}
	offset := int32(len(c.atoms)) - firstNode
	var pairs [][2]int32 // operand, reader
	wire := func(to ref, reader int32) {
		cl := &c.cells[reader]
		operand := offset + to.nodeIndex()
		if to.isAtom() {
			var open bool
			if operand, open = at[to.atom()]; !open { // it became final meanwhile
				v := e.atoms[to.atom()].value
				switch cl.op {
				case anyOf:
					cl.acc = e.or(cl.acc, v)
				case allOf:
					cl.acc = e.and(cl.acc, v)
				case notOf:
					cl.op, cl.acc = anyOf, not(v)
				}
				return
			}
		}
		cl.operands++
		cl.negates = operand
		c.negation = c.negation || cl.op == notOf
		pairs = append(pairs, [2]int32{operand, reader})
	}
	for range c.atoms {
		c.cells = append(c.cells, cell{op: anyOf, acc: never})
	}
	for _, n := range e.nodes[firstNode:] {
		c.cells = append(c.cells, cell{op: n.op, acc: n.acc})
	}
	for i, id := range c.atoms {
		wire(e.atoms[id].body, int32(i))
	}
	for i, n := range e.nodes[firstNode:] {
		for l := n.links; l != 0; l = e.links[l].next {
			wire(e.links[l].to, int32(len(c.atoms)+i))
		}
	}
	c.sortWires(pairs)
	return c
}

// sortWires lays the wires out by operand.
func (c *circuit) sortWires(pairs [][2]int32) {
	c.first = make([]int32, len(c.cells)+1)
	for _, p := range pairs {
		c.first[p[0]+1]++
	}
	for i := range c.cells {
		c.first[i+1] += c.first[i]
	}
	c.wires = make([]int32, len(pairs))
	next := append([]int32(nil), c.first...)
	for _, p := range pairs {
		c.wires[next[p[0]]] = p[1]
		next[p[0]]++
	}
}

func (c *circuit) readers(i int32) []int32 { return c.wires[c.first[i]:c.first[i+1]] }

// settle makes the atom of a cell final.
func (c *circuit) settle(i int32) {
	a := &c.e.atoms[c.atoms[i]]
	if a.final {
		return
	}
	c.e.settle(a, value{c.lower.truth[i], c.upper.truth[i], c.lower.why[i], c.upper.why[i]})
}
