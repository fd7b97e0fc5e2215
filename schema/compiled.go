package schema

import (
	"sync"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Schema is a compiled schema: what the engine walks. Everything in it goes by
// number; names are kept for answers and explanations alone. It never changes
// once compiled and may be shared.
type Schema struct {
	Language   int // the language version of the header: pemba 1
	Types      []*Type
	Relations  []*Relation // by RelationID; nil where this schema has none (an older one may have had it)
	Conditions []*Condition

	byName map[string]*Type
	byID   []*Type // by TypeID

	branches []branch // by Expr.Branch

	readersOnce sync.Once // guards the making of readers
	readers     *Readers

	keptOnce sync.Once // guards the making of kept
	kept     any
}

// Keep returns what the engine has worked out of the schema, made on the first
// call: it lives as long as the schema does.
func (s *Schema) Keep(make func(*Schema) any) any {
	s.keptOnce.Do(func() { s.kept = make(s) })
	return s.kept
}

// Type is one type of a schema.
type Type struct {
	ID        tuple.TypeID
	Name      string
	Doc       string
	Singleton string      // the id of the type's only object; "" when it may have many
	Relations []*Relation // relations and permissions in the order of the source
	Acts      []Acts
	Place     source.Place

	byName map[string]*Relation
}

// Relation is a relation or a permission of a type.
type Relation struct {
	ID         tuple.RelationID
	Type       *Type
	Name       string
	Doc        string
	Deprecated string // why, and what to use instead; "" when it is not deprecated
	Permission bool   // no tuple may write it
	Rewrite    *Expr
	AtMost     int     // most tuples per object; 0 is no limit
	Shapes     []Shape // which subjects its tuples may name; none for a permission
	Place      source.Place
	// Sealed holds, by object id, the usersets of this relation that are fixed by
	// the schema: exactly these subjects, whatever the rewrite and the tuples say.
	Sealed map[string][]FixedSubject
}

// Shape is one kind of subject that a relation admits: user, group#member or
// user:*, with what its tuples must and may carry.
type Shape struct {
	Type      tuple.TypeID
	Relation  tuple.RelationID // of a userset; 0 for objects and wildcards
	Wildcard  bool
	Condition tuple.ConditionID // the tuple carries exactly this condition; 0: none
	Expiry    Expiry
}

// Expiry says whether tuples of a shape carry an expiry.
type Expiry uint8

const (
	ExpiryNever    Expiry = iota // the tuple may not expire
	ExpiryOptional               // with expiry?
	ExpiryRequired               // with expiry
)

// FixedSubject is a subject that stands in the schema itself.
type FixedSubject struct {
	Type     tuple.TypeID
	ID       string           // "*" is the wildcard
	Relation tuple.RelationID // 0 for an object or a wildcard
}

// Acts says that a subject of this type holds a permission on objects of type
// On exactly where Permissions lists it and a current owner holds it.
type Acts struct {
	Owner       tuple.RelationID // a relation of the acting type
	On          tuple.TypeID
	Permissions map[tuple.RelationID]bool
}

// Kind tells the nodes of a rewrite apart.
type Kind uint8

const (
	Nobody       Kind = iota // the empty set; the zero value denies
	Direct                   // the tuples of the relation itself
	Computed                 // another relation or permission of the same object
	Arrow                    // a permission of every object that a relation leads to: any of them
	Every                    // the same, but all of them, and at least one
	Fixed                    // a userset of one object that the schema names
	Self                     // the object itself
	Union                    // any of Operands
	Intersection             // all of Operands
	Exclusion                // Operands[0] except Operands[1]
)

// Expr is one node of a rewrite.
type Expr struct {
	Kind     Kind
	Operands []*Expr          // Union, Intersection: two or more; Exclusion: two
	Relation tuple.RelationID // Computed, Fixed: what is read; Arrow, Every: the relation that is walked
	Targets  []Target         // Arrow, Every: what is read on the other side, by the type found there
	Object   FixedSubject     // Fixed: the object (its Relation is not set)
	Branch   int              // number of this node among all of the schema's, for coverage
	Place    source.Place     // where it stands in the source
}

// Target is the relation that an arrow reads on objects of one type.
type Target struct {
	Type     tuple.TypeID
	Relation tuple.RelationID
}

// Target returns the relation that an arrow reads on objects of a type; 0 when
// the type lacks the name and the arrow skips it.
func (e *Expr) Target(t tuple.TypeID) tuple.RelationID {
	for _, target := range e.Targets {
		if target.Type == t {
			return target.Relation
		}
	}
	return 0
}

// Relation returns the relation or permission with a number, or nil.
func (s *Schema) Relation(id tuple.RelationID) *Relation {
	if int(id) >= len(s.Relations) {
		return nil
	}
	return s.Relations[id]
}

// Type returns the type with a name, or nil.
func (s *Schema) Type(name string) *Type { return s.byName[name] }

// TypeByID returns the type with a number, or nil.
func (s *Schema) TypeByID(id tuple.TypeID) *Type {
	if int(id) >= len(s.byID) {
		return nil
	}
	return s.byID[id]
}

// Condition returns the condition with a number, or nil.
func (s *Schema) Condition(id tuple.ConditionID) *Condition {
	if int(id) >= len(s.Conditions) {
		return nil
	}
	return s.Conditions[id]
}

// Relation returns the type's relation or permission with a name, or nil.
func (t *Type) Relation(name string) *Relation { return t.byName[name] }
