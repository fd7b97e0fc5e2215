package engine

import (
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// object returns a node by name.
func (e *evaluation) object(n tuple.Node) (tuple.Object, error) {
	t, id, err := e.graph.Object(n)
	if err != nil {
		return tuple.Object{}, err
	}
	o := tuple.Object{ID: id}
	if typ := e.schema.TypeByID(t); typ != nil {
		o.Type = typ.Name
	}
	return o, nil
}

// subjectNamed returns a subject by name.
func (e *evaluation) subjectNamed(ref tuple.Ref) (tuple.Subject, error) {
	o, err := e.object(ref.Node)
	s := tuple.Subject{Type: o.Type, ID: o.ID}
	if r := e.schema.Relation(ref.Relation); r != nil {
		s.Relation = r.Name
	}
	return s, err
}

// tuple returns an edge of node#r as the tuple that it is.
func (e *evaluation) tuple(n tuple.Node, r *schema.Relation, edge *tuple.Edge) (tuple.Tuple, error) {
	var t tuple.Tuple
	var err error
	if t.Object, err = e.object(n); err != nil {
		return t, err
	}
	if t.Subject, err = e.subjectNamed(edge.Ref); err != nil {
		return t, err
	}
	t.Relation = r.Name
	if c := e.schema.Condition(edge.Condition); c != nil {
		t.Condition = tuple.Condition{Name: c.Name, Context: edge.Context}
	}
	if edge.Expires != 0 {
		t.Expires = tuple.Instant(edge.Expires)
	}
	return t, nil
}

// nameAll reads the ids of candidates.
func (e *evaluation) nameAll(l *lineup) error {
	for at := 0; at < len(l.list); at += chunkSize {
		if err := e.pace(); err != nil {
			return err
		}
		chunk := l.list[at:min(at+chunkSize, len(l.list))]
		for i := range chunk {
			l.nodes[i] = chunk[i].ref.Node
		}
		from, err := len(l.text), error(nil)
		if l.text, err = e.graph.IDs(l.nodes[:len(chunk)], l.text, l.ends[:]); err != nil {
			return err
		}
		for i := range chunk {
			chunk[i].from, chunk[i].size = from, int32(l.ends[i]-from)
			from = l.ends[i]
		}
	}
	return nil
}
