package engine

import (
	"errors"
	"fmt"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// lay puts the view's contextual tuples over the reader's, judged as they would
// be if they were written.
func (e *evaluation) lay(v *View) error {
	if len(v.Contextual) == 0 {
		return nil
	}
	if v.Admission == nil {
		return errors.New("the view has contextual tuples and no admission to judge them by")
	}
	seen := make(map[tuple.Key]int, len(v.Contextual))
	var limited []tuple.Ref     // object#relation with a limit, in the order given
	last := map[tuple.Ref]int{} // the last tuple of each, which is to blame
	for i, t := range v.Contextual {
		fail := func(err error) error { return &ContextualError{Index: i, Tuple: t, Err: err} }
		if first, ok := seen[t.Key]; ok {
			return fail(fmt.Errorf("the same tuple is contextual tuple %d already", first))
		}
		seen[t.Key] = i
		end, edge, err := e.contextualEdge(v, t)
		if err != nil {
			return fail(err)
		}
		e.graph.add(end.Node, end.Relation, edge)
		if e.schema.Relation(end.Relation).AtMost > 0 {
			if _, ok := last[end]; !ok {
				limited = append(limited, end)
			}
			last[end] = i
		}
	}
	for _, end := range limited {
		if err := e.count(end); err != nil {
			return &ContextualError{Index: last[end], Tuple: v.Contextual[last[end]], Err: err}
		}
	}
	return nil
}

// contextualEdge turns a contextual tuple into an edge, or says why a write of
// it would be refused.
func (e *evaluation) contextualEdge(v *View, t tuple.Tuple) (end tuple.Ref, edge tuple.Edge, err error) {
	if err := t.Key.Validate(); err != nil {
		return end, edge, err
	}
	if refusal := v.Admission.Admit(t); refusal != nil {
		return end, edge, refusal
	}
	typ, r, err := e.relationNamed(t.Object.Type, t.Relation)
	if err != nil {
		return end, edge, err
	}
	if edge, err = e.edgeOf(t); err != nil {
		return end, edge, err
	}
	subjectType, _, err := e.graph.Type(edge.Ref.Node)
	if err != nil {
		return end, edge, err
	}
	n, err := e.graph.Node(typ.ID, t.Object.ID)
	if err != nil {
		return end, edge, err
	}
	e.graph.name(typ.ID, n)
	if !t.Subject.IsWildcard() {
		e.graph.name(subjectType, edge.Ref.Node)
	}
	return tuple.Ref{Node: n, Relation: r.ID}, edge, nil
}

// edgeOf numbers the subject's side of a tuple.
func (e *evaluation) edgeOf(t tuple.Tuple) (tuple.Edge, error) {
	edge := tuple.Edge{Context: t.Condition.Context}
	ref, err := e.subjectRef(t.Subject)
	if err != nil {
		return edge, err
	}
	edge.Ref = ref
	if name := t.Condition.Name; name != "" {
		c := e.schema.ConditionNamed(name)
		if c == nil {
			return edge, fmt.Errorf("the schema has no condition %q", name)
		}
		edge.Condition = c.ID
	}
	if !t.Expires.IsZero() {
		edge.Expires = tuple.Nanoseconds(t.Expires)
	}
	return edge, nil
}

// count holds an object's live tuples, written and contextual, to the relation's limit.
func (e *evaluation) count(end tuple.Ref) error {
	r := e.schema.Relation(end.Relation)
	n := 0
	for edge, err := range tuple.List(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
		return e.graph.Subjects(end.Node, end.Relation, from, into)
	}) {
		if err != nil {
			return err
		}
		if e.expired(&edge) {
			continue
		}
		if n++; n > r.AtMost {
			return fmt.Errorf("%s#%s admits at most %d per object", r.Type.Name, r.Name, r.AtMost)
		}
	}
	return nil
}

// relationNamed returns a type and its relation or permission.
func (e *evaluation) relationNamed(typeName, name string) (*schema.Type, *schema.Relation, error) {
	t, err := e.typeNamed(typeName)
	if err != nil {
		return nil, nil, err
	}
	r := t.Relation(name)
	if r == nil {
		var names []string
		for _, r := range t.Relations {
			names = append(names, r.Name)
		}
		return nil, nil, &NameError{What: "permission", Name: name, Type: typeName, Suggestion: source.Nearest(name, names)}
	}
	return t, r, nil
}

func (e *evaluation) typeNamed(name string) (*schema.Type, error) {
	t := e.schema.Type(name)
	if t == nil {
		var names []string
		for _, t := range e.schema.Types {
			names = append(names, t.Name)
		}
		return nil, &NameError{What: "type", Name: name, Suggestion: source.Nearest(name, names)}
	}
	return t, nil
}

// exists refuses any but the only object of a singleton type.
func (e *evaluation) exists(t *schema.Type, id string) error {
	if t.Singleton != "" && id != t.Singleton && id != tuple.Wildcard {
		return &SingletonError{Object: tuple.Object{Type: t.Name, ID: id}, Only: t.Singleton}
	}
	return nil
}

// subjectName reads a subject: its object and, of a userset, the relation.
func (e *evaluation) subjectName(s tuple.Subject) (tuple.ObjectName, tuple.RelationID, error) {
	t, err := e.typeNamed(s.Type)
	if err != nil {
		return tuple.ObjectName{}, 0, err
	}
	if err := e.exists(t, s.ID); err != nil {
		return tuple.ObjectName{}, 0, err
	}
	name := tuple.ObjectName{Type: t.ID, ID: s.ID}
	if s.Relation == "" {
		return name, 0, nil
	}
	_, r, err := e.relationNamed(s.Type, s.Relation)
	if err != nil {
		return name, 0, err
	}
	return name, r.ID, nil
}

// subjectRef numbers a subject.
func (e *evaluation) subjectRef(s tuple.Subject) (tuple.Ref, error) {
	name, relation, err := e.subjectName(s)
	if err != nil {
		return tuple.Ref{}, err
	}
	n, err := e.graph.Node(name.Type, name.ID)
	return tuple.Ref{Node: n, Relation: relation}, err
}
