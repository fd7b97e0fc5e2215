package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// cycles reports permissions that are defined by nothing but themselves, and
// warns of recursion through an exclusion.
func (c *compiler) cycles() {
	byID := make(map[tuple.RelationID]int, len(c.relations))
	for i, r := range c.relations {
		byID[r.ID] = i
	}
	c.emptyCycles(byID)
	c.negativeCycles(byID)
}

// emptyCycles finds cycles of names on the same object out of which no way leads
// to a tuple: permission a = b, permission b = a.
func (c *compiler) emptyCycles(byID map[tuple.RelationID]int) {
	next := make([][]int, len(c.relations))
	for i, r := range c.relations {
		r.Rewrite.walk(func(e *Expr) {
			if j, ok := byID[e.Relation]; ok && e.Kind == Computed {
				next[i] = append(next[i], j)
			}
		})
	}
	possible := c.possible(byID, next)
	for _, part := range components(next) {
		slices.Sort(part) // in the order of the source
		if len(part) == 1 && !slices.Contains(next[part[0]], part[0]) {
			continue
		}
		empty := true
		names := make([]string, 0, len(part))
		for _, i := range part {
			empty = empty && !possible[i] && !c.relations[i].unsure && c.relations[i].node.Expr != nil
			names = append(names, c.relations[i].Name)
		}
		if !empty {
			continue
		}
		r := c.relations[part[0]]
		c.report(r.name.Place, r.name.Width, "empty_cycle",
			fmt.Sprintf("%s can never hold: it is defined by nothing but itself (%s)", r.Name, strings.Join(names[:min(len(names), 10)], ", ")),
			"", "add a relation, or write nobody")
	}
}

// possible says which relations could have a subject at all, going by their
// names on the same object; what leads to other objects could always.
func (c *compiler) possible(byID map[tuple.RelationID]int, next [][]int) []bool {
	possible := make([]bool, len(c.relations))
	users := make([][]int, len(c.relations))
	for i, list := range next {
		for _, j := range list {
			users[j] = append(users[j], i)
		}
	}
	work := make([]int, len(c.relations))
	for i := range work {
		work[i] = i
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if possible[i] || !couldHold(c.relations[i].Rewrite, byID, possible) {
			continue
		}
		possible[i] = true
		work = append(work, users[i]...)
	}
	return possible
}

func couldHold(e *Expr, byID map[tuple.RelationID]int, possible []bool) bool {
	switch e.Kind {
	case Nobody:
		return false
	case Computed:
		i, ok := byID[e.Relation]
		return !ok || possible[i]
	case Union:
		for _, o := range e.Operands {
			if couldHold(o, byID, possible) {
				return true
			}
		}
		return false
	case Intersection:
		for _, o := range e.Operands {
			if !couldHold(o, byID, possible) {
				return false
			}
		}
		return true
	case Exclusion:
		return couldHold(e.Operands[0], byID, possible)
	}
	return true
}

// negativeCycles warns where a name depends on its own exclusion. It is legal:
// the instances are stratified when a question is answered.
func (c *compiler) negativeCycles(byID map[tuple.RelationID]int) {
	next := make([][]int, len(c.relations))
	negative := make([][]int, len(c.relations))
	for i, r := range c.relations {
		edge := func(id tuple.RelationID, excluded bool) {
			j, ok := byID[id]
			if !ok {
				return
			}
			next[i] = append(next[i], j)
			if excluded {
				negative[i] = append(negative[i], j)
			}
		}
		for _, s := range r.Shapes {
			edge(s.Relation, false)
		}
		dependencies(r.Rewrite, false, edge)
	}
	part := make([]int, len(c.relations))
	for n, members := range components(next) {
		for _, i := range members {
			part[i] = n
		}
	}
	for i, r := range c.relations {
		for _, j := range negative[i] {
			if part[i] == part[j] {
				c.add(source.Diagnostic{Severity: source.Warning, Code: "recursion_through_except", Place: r.Place, Width: r.name.Width,
					Message:    fmt.Sprintf("%s depends on itself through the right side of an except", r.Name),
					Suggestion: "an object that depends on its own exclusion is denied; break the recursion where that is not meant"})
				break
			}
		}
	}
}

// dependencies calls edge for each name that an expression reads, and whether it
// reads it under the right side of an except.
func dependencies(e *Expr, excluded bool, edge func(id tuple.RelationID, excluded bool)) {
	switch e.Kind {
	case Computed, Fixed:
		edge(e.Relation, excluded)
	case Arrow, Every:
		edge(e.Relation, excluded)
		for _, t := range e.Targets {
			edge(t.Relation, excluded)
		}
	}
	for i, o := range e.Operands {
		dependencies(o, excluded || e.Kind == Exclusion && i == 1, edge)
	}
}

// components returns the strongly connected parts of a graph (Tarjan), with a
// stack of its own: hostile schemas chain names by the ten thousand.
func components(next [][]int) [][]int {
	type frame struct{ node, edge int }
	index := make([]int, len(next)) // 1 + order of visit
	low := make([]int, len(next))
	onStack := make([]bool, len(next))
	var stack []int
	var parts [][]int
	visited := 0
	for root := range next {
		if index[root] != 0 {
			continue
		}
		frames := []frame{{node: root}}
		for len(frames) > 0 {
			f := &frames[len(frames)-1]
			v := f.node
			if f.edge == 0 && index[v] == 0 {
				visited++
				index[v], low[v] = visited, visited
				stack, onStack[v] = append(stack, v), true
			}
			if f.edge < len(next[v]) {
				w := next[v][f.edge]
				f.edge++
				if index[w] == 0 {
					frames = append(frames, frame{node: w})
				} else if onStack[w] {
					low[v] = min(low[v], index[w])
				}
				continue
			}
			frames = frames[:len(frames)-1]
			if len(frames) > 0 {
				parent := frames[len(frames)-1].node
				low[parent] = min(low[parent], low[v])
			}
			if low[v] != index[v] {
				continue
			}
			var part []int
			for {
				w := stack[len(stack)-1]
				stack, onStack[w] = stack[:len(stack)-1], false
				part = append(part, w)
				if w == v {
					break
				}
			}
			parts = append(parts, part)
		}
	}
	return parts
}
