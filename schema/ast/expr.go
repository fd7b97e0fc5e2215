package ast

import "github.com/pemba-authz/pemba/schema/source"

// Expr is the expression of a relation or permission: *Operation, *Direct, *Ref,
// *Arrow, *Fixed, *Self or *Nobody.
type Expr interface {
	At() source.Place
	expr()
}

// Op is an operator, by its keyword.
type Op string

// The operators. Except takes two operands, the others two or more.
const (
	Or     Op = "or"
	And    Op = "and"
	Except Op = "except"
)

// Operation joins operands by one operator. An operand that is an Operation is
// printed in parentheses.
type Operation struct {
	Op       Op
	Operands []Expr
	Place    source.Place
}

// Direct is what tuples of the relation may name: [user | group#member] at most 1.
type Direct struct {
	Subjects []Subject
	AtMost   int // 0 is no limit
	Place    source.Place
}

// Subject is one kind of subject in a Direct.
type Subject struct {
	Type      Name
	Relation  Name // Text "" when it is not a userset
	Wildcard  bool
	Condition Name // Text "" when there is none
	Expiry    Expiry
	Place     source.Place
}

// Expiry says whether tuples of a subject carry an expiry.
type Expiry uint8

// The ways to say so: nothing, "with expiry?", "with expiry".
const (
	NoExpiry Expiry = iota
	OptionalExpiry
	RequiredExpiry
)

// Ref is another relation or permission of the same object.
type Ref struct{ Name Name }

// Arrow is a relation or permission of the objects that Relation leads to.
type Arrow struct {
	Every    bool // of all of them, not of any
	Relation Name
	Target   Name
	Same     bool // the target is the name being defined; Target is not read
	Place    source.Place
}

// Fixed is the userset of one object: group:admins#member.
type Fixed struct {
	Object   Object
	Relation Name
	Same     bool // the relation is the name being defined; Relation is not read
}

// Self is the object itself.
type Self struct{ Place source.Place }

// Nobody is the empty set.
type Nobody struct{ Place source.Place }

func (*Operation) expr() {}
func (*Direct) expr()    {}
func (*Ref) expr()       {}
func (*Arrow) expr()     {}
func (*Fixed) expr()     {}
func (*Self) expr()      {}
func (*Nobody) expr()    {}

// At returns where the expression begins.
func (e *Operation) At() source.Place { return e.Place }
func (e *Direct) At() source.Place    { return e.Place }
func (e *Ref) At() source.Place       { return e.Name.Place }
func (e *Arrow) At() source.Place     { return e.Place }
func (e *Fixed) At() source.Place     { return e.Object.Place }
func (e *Self) At() source.Place      { return e.Place }
func (e *Nobody) At() source.Place    { return e.Place }
