// Package memory is the engine's Reader over a plain list of tuples: for tests,
// for scenarios, and for questions asked offline. Call New first.
package memory

import (
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Reader holds tuples as a graph. It never changes once made, so any number of
// goroutines may read it. It satisfies engine.Reader.
type Reader struct {
	objects  []object // by Node; the first is no object
	nodes    map[object]tuple.Node
	forward  map[tuple.Ref]*adjacency // object#relation to its subjects
	backward map[within][]tuple.Edge  // subject to each object#relation
	named    map[tuple.TypeID][]tuple.Node
	ends     []tuple.Ref // the keys of forward in the order of the tuples
	// relations holds those of forward's keys by object.
	relations map[tuple.Node][]tuple.RelationID
}

type object struct {
	typ tuple.TypeID
	id  string
}

// within is a subject in whatever is of a relation; 0 is any.
type within struct {
	subject  tuple.Ref
	relation tuple.RelationID
}

// adjacency is what object#relation leads to.
type adjacency struct {
	subjects []tuple.Edge
	usersets []tuple.Edge
	at       map[tuple.Ref]int // into subjects, once there are more than fewSubjects
}

// fewSubjects are found faster by looking at each than by a map.
const fewSubjects = 8

// find returns where a subject is, or -1.
func (a *adjacency) find(subject tuple.Ref) int {
	if a.at != nil {
		if i, ok := a.at[subject]; ok {
			return i
		}
		return -1
	}
	for i := range a.subjects {
		if a.subjects[i].Ref == subject {
			return i
		}
	}
	return -1
}

// put adds an edge, or replaces the one of the same subject.
func (a *adjacency) put(e tuple.Edge) {
	if i := a.find(e.Ref); i >= 0 {
		a.subjects[i] = e
		return
	}
	if a.at != nil {
		a.at[e.Ref] = len(a.subjects)
	}
	a.subjects = append(a.subjects, e)
	if a.at == nil && len(a.subjects) > fewSubjects {
		a.at = make(map[tuple.Ref]int, 2*len(a.subjects))
		for i := range a.subjects {
			a.at[a.subjects[i].Ref] = i
		}
	}
}

// New builds a reader. A tuple whose type, relation or condition the schema
// lacks is an error; whether the schema admits the tuple is not asked. Of two
// tuples with one key the later counts.
func New(s *schema.Schema, tuples []tuple.Tuple) (*Reader, error) {
	r := &Reader{
		objects:   make([]object, 1),
		nodes:     make(map[object]tuple.Node, len(tuples)),
		forward:   make(map[tuple.Ref]*adjacency, len(tuples)),
		backward:  make(map[within][]tuple.Edge, 2*len(tuples)),
		named:     map[tuple.TypeID][]tuple.Node{},
		relations: map[tuple.Node][]tuple.RelationID{},
	}
	for _, t := range tuples {
		if err := r.add(s, t); err != nil {
			return nil, fmt.Errorf("tuple %s: %w", t, err)
		}
	}
	for _, end := range r.ends { // in the order of the tuples, so that every run is alike
		a := r.forward[end]
		for _, e := range a.subjects {
			if e.Ref.Relation != 0 {
				a.usersets = append(a.usersets, e)
			}
			back := e
			back.Ref = end
			for _, relation := range []tuple.RelationID{0, end.Relation} {
				key := within{e.Ref, relation}
				r.backward[key] = append(r.backward[key], back)
			}
		}
	}
	return r, nil
}

func (r *Reader) add(s *schema.Schema, t tuple.Tuple) error {
	typ := s.Type(t.Object.Type)
	if typ == nil {
		return fmt.Errorf("the schema has no type %q", t.Object.Type)
	}
	relation := typ.Relation(t.Relation)
	if relation == nil {
		return fmt.Errorf("type %q has no relation %q", typ.Name, t.Relation)
	}
	subjectType := s.Type(t.Subject.Type)
	if subjectType == nil {
		return fmt.Errorf("the schema has no type %q", t.Subject.Type)
	}
	e := tuple.Edge{Context: t.Condition.Context}
	if t.Subject.Relation != "" {
		member := subjectType.Relation(t.Subject.Relation)
		if member == nil {
			return fmt.Errorf("type %q has no relation %q", subjectType.Name, t.Subject.Relation)
		}
		e.Ref.Relation = member.ID
	}
	if t.Condition.Name != "" {
		c := s.ConditionNamed(t.Condition.Name)
		if c == nil {
			return fmt.Errorf("the schema has no condition %q", t.Condition.Name)
		}
		e.Condition = c.ID
	}
	if !t.Expires.IsZero() {
		e.Expires = tuple.Nanoseconds(t.Expires)
	}
	end := tuple.Ref{Node: r.number(typ.ID, t.Object.ID), Relation: relation.ID}
	e.Ref.Node = r.number(subjectType.ID, t.Subject.ID)
	a := r.forward[end]
	if a == nil {
		a = &adjacency{}
		r.forward[end] = a
		r.ends = append(r.ends, end)
		r.relations[end.Node] = append(r.relations[end.Node], end.Relation)
	}
	a.put(e)
	return nil
}

// number returns the node of an object, a new one when it is met first.
func (r *Reader) number(t tuple.TypeID, id string) tuple.Node {
	o := object{t, id}
	if n, ok := r.nodes[o]; ok {
		return n
	}
	n := tuple.Node(len(r.objects))
	r.objects = append(r.objects, o)
	r.nodes[o] = n
	if id != tuple.Wildcard {
		r.named[t] = append(r.named[t], n)
	}
	return n
}

// Node returns the number of an object, or 0 when no tuple names it.
func (r *Reader) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	return r.nodes[object{t, id}], nil
}

// Pair is Node for two objects.
func (r *Reader) Pair(a, b tuple.ObjectName) (n, m tuple.Node, err error) {
	if n, err = r.Node(a.Type, a.ID); err == nil {
		m, err = r.Node(b.Type, b.ID)
	}
	return n, m, err
}

// Object returns the type and id of a node of this reader.
func (r *Reader) Object(n tuple.Node) (tuple.TypeID, string, error) {
	if n == 0 || int(n) >= len(r.objects) {
		return 0, "", fmt.Errorf("memory: node %d is not of this reader, which has %d", n, len(r.objects)-1)
	}
	o := r.objects[n]
	return o.typ, o.id, nil
}

// IDs appends the ids of nodes of this reader to text.
func (r *Reader) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	return tuple.IDs(r.Object, nodes, text, ends)
}

// Type returns the type of a node of this reader, and whether it is the wildcard.
func (r *Reader) Type(n tuple.Node) (tuple.TypeID, bool, error) {
	t, id, err := r.Object(n)
	return t, id == tuple.Wildcard, err
}

// Edge returns the tuple object#relation@subject, if there is one.
func (r *Reader) Edge(n tuple.Node, relation tuple.RelationID, subject tuple.Ref) (tuple.Edge, bool, error) {
	a := r.forward[tuple.Ref{Node: n, Relation: relation}]
	if a == nil {
		return tuple.Edge{}, false, nil
	}
	if i := a.find(subject); i >= 0 {
		return a.subjects[i], true, nil
	}
	return tuple.Edge{}, false, nil
}

// Row reads all tuples of an object, if they are few.
func (r *Reader) Row(n tuple.Node, into []tuple.Edge) (int, bool, error) {
	count := 0
	for _, relation := range r.relations[n] {
		for _, e := range r.forward[tuple.Ref{Node: n, Relation: relation}].subjects {
			if count == len(into) {
				return 0, false, nil
			}
			e.Relation = relation
			into[count] = e
			count++
		}
	}
	return count, true, nil
}

// Subjects lists the direct subjects of object#relation in the order of the tuples.
func (r *Reader) Subjects(n tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if a := r.forward[tuple.Ref{Node: n, Relation: relation}]; a != nil {
		return chunk(a.subjects, from, into)
	}
	return 0, 0, nil
}

// Usersets lists the usersets among the direct subjects of object#relation.
func (r *Reader) Usersets(n tuple.Node, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	if a := r.forward[tuple.Ref{Node: n, Relation: relation}]; a != nil {
		return chunk(a.usersets, from, into)
	}
	return 0, 0, nil
}

// Objects lists every object#relation that the subject is directly in; with
// relation 0, of whatever relation.
func (r *Reader) Objects(subject tuple.Ref, relation tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return chunk(r.backward[within{subject, relation}], from, into)
}

// Closure goes upwards by one relation alone.
func (r *Reader) Closure(subject tuple.Ref, relation tuple.RelationID, into []tuple.Node) (n int, ok bool, err error) {
	for at := -1; at < n; at++ {
		if at >= 0 {
			subject = tuple.Ref{Node: into[at], Relation: relation}
		}
		for _, e := range r.backward[within{subject, relation}] {
			switch {
			case e.Condition != 0 || e.Expires != 0:
				return 0, false, nil
			case slices.Contains(into[:n], e.Ref.Node):
			case n == len(into):
				return 0, false, nil
			default:
				into[n] = e.Ref.Node
				n++
			}
		}
	}
	return n, true, nil
}

// Nodes lists every object of a type that a tuple names.
func (r *Reader) Nodes(t tuple.TypeID, from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
	return chunk(r.named[t], from, into)
}

// chunk copies a part of a list; reading memory never fails.
func chunk[T any](list []T, from tuple.Cursor, into []T) (int, tuple.Cursor, error) {
	n := copy(into, list[from:])
	if next := from + tuple.Cursor(n); int(next) < len(list) {
		return n, next, nil
	}
	return n, 0, nil
}
