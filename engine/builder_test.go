package engine_test

import (
	"strings"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// builder puts small schemas together without a source. Names in expressions are
// resolved by schema(), so that they may be used before they are made.
type builder struct {
	numbers    schema.Numbering
	types      []*schema.Type
	conditions []*schema.Condition
	later      []func()
}

// make is an expression that is not resolved yet: of is where it stands.
type maker func(b *builder, of *schema.Relation) *schema.Expr

func newBuilder(types ...string) *builder {
	b := &builder{numbers: schema.NewNumbering()}
	for _, name := range types {
		b.types = append(b.types, &schema.Type{ID: b.numbers.TypeID(name), Name: name})
	}
	return b
}

func (b *builder) typ(name string) *schema.Type {
	for _, t := range b.types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (b *builder) named(t tuple.TypeID, name string) *schema.Relation {
	for _, typ := range b.types {
		for _, r := range typ.Relations {
			if typ.ID == t && r.Name == name {
				return r
			}
		}
	}
	return nil
}

func (b *builder) define(typeName, name string, shapes []string, m maker) *schema.Relation {
	t := b.typ(typeName)
	r := &schema.Relation{ID: b.numbers.RelationID(typeName, name), Type: t, Name: name, Permission: shapes == nil}
	t.Relations = append(t.Relations, r)
	b.later = append(b.later, func() {
		for _, s := range shapes {
			r.Shapes = append(r.Shapes, b.shape(s))
		}
		r.Rewrite = m(b, r)
	})
	return r
}

func (b *builder) relation(typeName, name string, shapes []string, m maker) *schema.Relation {
	return b.define(typeName, name, shapes, m)
}

func (b *builder) permission(typeName, name string, m maker) *schema.Relation {
	return b.define(typeName, name, nil, m)
}

// shape reads "user", "user:*", "group#member", each with " with c" and " expiry" or " expiry?" behind it.
func (b *builder) shape(text string) schema.Shape {
	words := strings.Fields(text)
	var s schema.Shape
	head, relation, _ := strings.Cut(words[0], "#")
	head, star, _ := strings.Cut(head, ":")
	s.Type, s.Wildcard = b.typ(head).ID, star == "*"
	if relation != "" {
		s.Relation = b.numbers.RelationID(head, relation)
	}
	for _, w := range words[1:] {
		switch w {
		case "with":
		case "expiry":
			s.Expiry = schema.ExpiryRequired
		case "expiry?":
			s.Expiry = schema.ExpiryOptional
		default:
			s.Condition = b.numbers.ConditionID(w)
		}
	}
	return s
}

func (b *builder) schema() *schema.Schema {
	for _, f := range b.later {
		f()
	}
	branch := 0
	var number func(x *schema.Expr)
	number = func(x *schema.Expr) {
		x.Branch = branch
		branch++
		for _, o := range x.Operands {
			number(o)
		}
	}
	for _, t := range b.types {
		for _, r := range t.Relations {
			number(r.Rewrite)
		}
	}
	return schema.New(1, b.types, b.conditions)
}

func shapes(list ...string) []string { return list }

func leaf(k schema.Kind) maker {
	return func(*builder, *schema.Relation) *schema.Expr { return &schema.Expr{Kind: k} }
}

func direct() maker { return leaf(schema.Direct) }
func self() maker   { return leaf(schema.Self) }
func nobody() maker { return leaf(schema.Nobody) }

func name(n string) maker {
	return func(b *builder, of *schema.Relation) *schema.Expr {
		return &schema.Expr{Kind: schema.Computed, Relation: b.named(of.Type.ID, n).ID}
	}
}

func operator(k schema.Kind, operands []maker) maker {
	return func(b *builder, of *schema.Relation) *schema.Expr {
		x := &schema.Expr{Kind: k}
		for _, m := range operands {
			x.Operands = append(x.Operands, m(b, of))
		}
		return x
	}
}

func or(operands ...maker) maker     { return operator(schema.Union, operands) }
func and(operands ...maker) maker    { return operator(schema.Intersection, operands) }
func except(left, right maker) maker { return operator(schema.Exclusion, []maker{left, right}) }

func arrow(tupleset, target string) maker { return arrowOf(schema.Arrow, tupleset, target) }
func every(tupleset, target string) maker { return arrowOf(schema.Every, tupleset, target) }

func arrowOf(k schema.Kind, tupleset, target string) maker {
	return func(b *builder, of *schema.Relation) *schema.Expr {
		ts := b.named(of.Type.ID, tupleset)
		x := &schema.Expr{Kind: k, Relation: ts.ID}
		for _, t := range b.types {
			if r := b.named(t.ID, target); r != nil {
				x.Targets = append(x.Targets, schema.Target{Type: t.ID, Relation: r.ID})
			}
		}
		return x
	}
}

func fixed(object, relation string) maker {
	return func(b *builder, of *schema.Relation) *schema.Expr {
		typ, id, _ := strings.Cut(object, ":")
		t := b.typ(typ)
		return &schema.Expr{Kind: schema.Fixed, Relation: b.named(t.ID, relation).ID, Object: schema.FixedSubject{Type: t.ID, ID: id}}
	}
}

func (b *builder) condition(name, body string, params ...condition.Param) {
	p, err := condition.Compile(name, params, body)
	if err != nil {
		panic(err)
	}
	b.conditions = append(b.conditions, &schema.Condition{ID: b.numbers.ConditionID(name), Name: name, Program: p})
}

// admission is what the compiler would say of a schema that was built by hand.
func admission(s *schema.Schema) *schema.Admitter {
	a := &schema.Admission{Language: 1}
	for _, c := range s.Conditions {
		if c == nil {
			continue
		}
		ac := schema.AdmissionCondition{Name: c.Name}
		for _, p := range c.Program.Params {
			ac.Params = append(ac.Params, schema.AdmissionParam{Name: p.Name, Type: p.Type})
		}
		a.Conditions = append(a.Conditions, ac)
	}
	for _, t := range s.Types {
		at := schema.AdmissionType{Name: t.Name, Singleton: t.Singleton}
		for _, r := range t.Relations {
			ar := schema.AdmissionRelation{Name: r.Name, Permission: r.Permission, AtMost: r.AtMost}
			for id := range r.Sealed {
				ar.Sealed = append(ar.Sealed, id)
			}
			for _, x := range r.Shapes {
				as := schema.AdmissionShape{Type: s.TypeByID(x.Type).Name, Wildcard: x.Wildcard, Expiry: x.Expiry}
				if x.Relation != 0 {
					as.Relation = s.Relation(x.Relation).Name
				}
				if x.Condition != 0 {
					as.Condition = s.Condition(x.Condition).Name
				}
				ar.Shapes = append(ar.Shapes, as)
			}
			at.Relations = append(at.Relations, ar)
		}
		a.Types = append(a.Types, at)
	}
	return a.Index()
}
