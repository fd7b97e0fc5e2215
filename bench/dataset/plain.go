package dataset

import (
	"fmt"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// plain answers questions under any schema without conditions by the plainest
// recursion over maps of tuples. It shares the compiled schema with the engine
// and nothing else; it is slow, and keeps every tuple.
type plain struct {
	schema   *schema.Schema
	now      time.Time
	held     map[tuple.Key]bool
	usersets map[place][]tuple.Subject // subjects with a relation
	objects  map[place][]tuple.Subject // subjects without one, as arrows and owners are followed

	before, values map[tuple.Key]bool // of the last round and of this one
}

// place is object#relation.
type place struct {
	object   tuple.Object
	relation string
}

// newPlain compiles a schema and takes in the tuples that have not expired.
func newPlain(name, text string, tuples []tuple.Tuple, now time.Time) (*plain, error) {
	m, err := schema.Compile([]source.File{{Name: name + ".pemba", Text: text}}, schema.NewNumbering())
	if err != nil {
		return nil, fmt.Errorf("the schema of %s: %w", name, err)
	}
	p := &plain{schema: m.Schema, now: now, held: make(map[tuple.Key]bool, len(tuples)),
		usersets: map[place][]tuple.Subject{}, objects: map[place][]tuple.Subject{}}
	followed := followed(m.Schema)
	for _, t := range tuples {
		if !t.Expires.IsZero() && !t.Expires.After(now) {
			continue
		}
		p.held[t.Key] = true
		at := place{t.Object, t.Relation}
		if t.Subject.IsUserset() {
			p.usersets[at] = append(p.usersets[at], t.Subject)
		} else if followed[[2]string{t.Object.Type, t.Relation}] {
			p.objects[at] = append(p.objects[at], t.Subject)
		}
	}
	return p, nil
}

// followed are the relations, by type and name, whose subjects are walked to:
// a list of any other's would only cost memory.
func followed(s *schema.Schema) map[[2]string]bool {
	names := map[[2]string]bool{}
	add := func(id tuple.RelationID) {
		r := s.Relation(id)
		names[[2]string{r.Type.Name, r.Name}] = true
	}
	var visit func(x *schema.Expr)
	visit = func(x *schema.Expr) {
		if x.Kind == schema.Arrow || x.Kind == schema.Every {
			add(x.Relation)
		}
		for _, operand := range x.Operands {
			visit(operand)
		}
	}
	for _, t := range s.Types {
		for _, a := range t.Acts {
			add(a.Owner)
		}
		for _, r := range t.Relations {
			visit(r.Rewrite)
		}
	}
	return names
}

// allowed says whether a subject has a permission. A circle of tuples is cut
// with what the round before found, until two rounds agree.
func (p *plain) allowed(object tuple.Object, permission string, subject tuple.Subject) bool {
	p.before = nil
	for {
		p.values = map[tuple.Key]bool{}
		answer := p.holds(object, permission, subject)
		if same(p.before, p.values) {
			return answer
		}
		p.before = p.values
	}
}

func same(a, b map[tuple.Key]bool) bool {
	if a == nil || len(a) != len(b) {
		return false
	}
	for k, v := range b {
		if was, ok := a[k]; !ok || was != v {
			return false
		}
	}
	return true
}

func (p *plain) holds(o tuple.Object, name string, s tuple.Subject) bool {
	key := tuple.Key{Object: o, Relation: name, Subject: s}
	if value, ok := p.values[key]; ok {
		return value
	}
	p.values[key] = p.before[key] // where the walk comes back to it
	value := p.decide(o, name, s)
	p.values[key] = value
	return value
}

func (p *plain) decide(o tuple.Object, name string, s tuple.Subject) bool {
	typ := p.schema.Type(o.Type)
	r := typ.Relation(name)
	if r == nil {
		return false
	}
	if owner, listed, acts := p.acts(r, s); acts {
		if !listed {
			return false
		}
		for _, on := range p.objects[place{s.Object(), owner}] {
			if p.holds(o, name, on) {
				return true
			}
		}
		return false
	}
	if fixed, sealed := r.Sealed[o.ID]; sealed {
		for _, f := range fixed {
			if p.named(p.subject(f), s) {
				return true
			}
		}
		return false
	}
	return p.eval(r.Rewrite, o, r, s)
}

// acts says whether a subject holds names of a type through its owner alone.
func (p *plain) acts(r *schema.Relation, s tuple.Subject) (owner string, listed, acts bool) {
	for _, a := range p.schema.Type(s.Type).Acts {
		if a.On == r.Type.ID {
			owner, acts = p.schema.Relation(a.Owner).Name, true
			listed = listed || a.Permissions[r.ID]
		}
	}
	return owner, listed, acts
}

func (p *plain) subject(f schema.FixedSubject) tuple.Subject {
	s := tuple.Subject{Type: p.schema.TypeByID(f.Type).Name, ID: f.ID}
	if f.Relation != 0 {
		s.Relation = p.schema.Relation(f.Relation).Name
	}
	return s
}

// named says whether a subject is the one that is named, or in it.
func (p *plain) named(named, s tuple.Subject) bool {
	switch {
	case named == s:
		return true
	case named.IsUserset():
		return p.holds(named.Object(), named.Relation, s)
	}
	return named.IsWildcard() && named.Type == s.Type && !s.IsUserset()
}

func (p *plain) eval(x *schema.Expr, o tuple.Object, r *schema.Relation, s tuple.Subject) bool {
	switch x.Kind {
	case schema.Direct:
		return p.direct(place{o, r.Name}, s)
	case schema.Computed:
		return p.holds(o, p.schema.Relation(x.Relation).Name, s)
	case schema.Fixed:
		f := p.subject(x.Object)
		return p.holds(f.Object(), p.schema.Relation(x.Relation).Name, s)
	case schema.Self:
		return s == tuple.Subject{Type: o.Type, ID: o.ID}
	case schema.Union:
		for _, operand := range x.Operands {
			if p.eval(operand, o, r, s) {
				return true
			}
		}
		return false
	case schema.Intersection:
		for _, operand := range x.Operands {
			if !p.eval(operand, o, r, s) {
				return false
			}
		}
		return true
	case schema.Exclusion:
		return p.eval(x.Operands[0], o, r, s) && !p.eval(x.Operands[1], o, r, s)
	case schema.Arrow, schema.Every:
		return p.arrow(x, o, s)
	}
	return false // nobody
}

func (p *plain) direct(at place, s tuple.Subject) bool {
	key := tuple.Key{Object: at.object, Relation: at.relation, Subject: s}
	if p.held[key] {
		return true
	}
	key.Subject = tuple.Subject{Type: s.Type, ID: tuple.Wildcard}
	if !s.IsUserset() && p.held[key] {
		return true
	}
	for _, userset := range p.usersets[at] {
		if p.named(userset, s) {
			return true
		}
	}
	return false
}

func (p *plain) arrow(x *schema.Expr, o tuple.Object, s tuple.Subject) bool {
	at := place{o, p.schema.Relation(x.Relation).Name}
	ends := slices.Concat(p.objects[at], p.usersets[at])
	for _, end := range ends {
		target := x.Target(p.schema.Type(end.Type).ID)
		if target == 0 {
			continue
		}
		if is := p.holds(end.Object(), p.schema.Relation(target).Name, s); is == (x.Kind == schema.Arrow) {
			return is
		}
	}
	return x.Kind == schema.Every && len(ends) > 0
}
