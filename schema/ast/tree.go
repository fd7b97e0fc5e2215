// Package ast is the schema language as written: its tokens, grammar, syntax
// tree and canonical printer. What names mean is package schema's business.
//
// Call Parse first; Format prints a tree, parsed or built by hand:
//
//	f := ast.NewFile("model.pemba")
//	f.Decls = append(f.Decls, &ast.Type{Name: ast.N("user"), Notes: ast.Notes{Before: []string{"/// Someone."}}})
//	text := ast.Format(f)
package ast

import (
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
)

// Language is the version of the language that this package reads and prints.
const Language = 1

// File is one schema file.
type File struct {
	Name   string
	Header Header
	Decls  []Decl
	End    []string // comments behind the last declaration
}

// NewFile returns an empty file of this language version.
func NewFile(name string) *File { return &File{Name: name, Header: Header{Language: Language}} }

// Header is the line that a file begins with: pemba 1.
type Header struct {
	Notes
	Language int
	Refuse   []Name // what the schema refuses beyond the language: self_tuples
	Place    source.Place
}

// Notes are the comments around a declaration, member or statement. Comments
// keep their marks: "// why", "/// doc", "/* long */". An empty string is a
// blank line. Comments inside a line are moved before it.
type Notes struct {
	Blank  bool     // a blank line stands before it all
	Before []string // comments on lines of their own
	Trail  string   // the comment behind, on the same line
}

// Comments returns the notes, to read or add to.
func (n *Notes) Comments() *Notes { return n }

// Doc returns the text of the doc comment, without its marks: those lines of ///
// that stand right before the node.
func (n *Notes) Doc() string {
	var lines []string
	for _, c := range n.Before {
		switch {
		case isDoc(c):
			lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(c, "///"), " "))
		case c == "":
			lines = nil
		}
	}
	return strings.Join(lines, "\n")
}

func isDoc(comment string) bool {
	return strings.HasPrefix(comment, "///") && !strings.HasPrefix(comment, "////")
}

// Name is a name where it stands. It is kept without backticks; the printer adds
// them where a keyword would be read.
type Name struct {
	Text  string
	Place source.Place
	Width int // in characters, backticks included; 0 when built by hand
}

// N returns a name without a place, for trees built by hand.
func N(text string) Name { return Name{Text: text} }

// Object is one object that the schema names: system:ptolemy.
type Object struct {
	Type  string
	ID    string
	Place source.Place
	Width int
}

// Decl is a declaration at the top of a file: *Import, *Type, *Condition,
// *Sealed, *Claim or *Test.
type Decl interface {
	Comments() *Notes
	At() source.Place
	decl()
}

// Import makes the declarations of another file part of the schema.
type Import struct {
	Notes
	Path  string
	Place source.Place // of the path
}

// TypeKind tells apart how a type is declared.
type TypeKind uint8

const (
	Ordinary  TypeKind = iota // type document
	Singleton                 // singleton system:main
	Extend                    // extend type document
)

// Type declares a type, a type with one object, or more of a type declared elsewhere.
type Type struct {
	Notes
	Kind  TypeKind
	Name  Name
	ID    string // Singleton: the id of the only object
	Body  *Body  // nil when there is none: type user
	Place source.Place
	// Partial says that a member could not be read, so that a name that nobody
	// declares may well be there.
	Partial bool
}

// Body is what stands between the braces of a type.
type Body struct {
	Open    string // the comment behind {
	Members []Member
	End     []string // comments before }
}

// Member is a line of a type's body: *Relation or *Acts.
type Member interface {
	Comments() *Notes
	At() source.Place
	member()
}

// Relation declares relations or permissions that share one expression.
type Relation struct {
	Notes
	Permission bool
	Names      []Name
	Expr       Expr // nil when it could not be read
	Deprecated string
	Place      source.Place
}

// Acts says what a subject of this type may do as its owner.
type Acts struct {
	Notes
	Owner       Name
	On          Name
	Permissions []Name
	Place       source.Place
}

// Condition declares a condition.
type Condition struct {
	Notes
	Name      Name
	Params    []Param
	Body      string // CEL, without the braces and the space at its ends
	BodyPlace source.Place
	Place     source.Place
}

// Param is a parameter of a condition.
type Param struct {
	Name  Name
	Type  string // in canonical form: list<string>
	Place source.Place
	Width int // of the type
}

// Sealed fixes the subjects of one userset.
type Sealed struct {
	Notes
	Userset  Userset
	Subjects []Userset
	Place    source.Place
}

// Userset is a subject that the schema names: an object, object#relation or user:*.
type Userset struct {
	Object   Object
	Relation Name // Text "" when it is an object
}

// TypeRelation is one relation of a type, in a claim: workspace#staff.
type TypeRelation struct {
	Type     Name
	Relation Name
}

// Claim is proven when the schema is compiled.
type Claim struct {
	Notes
	Always bool // else never
	Grants bool // else holds
	Left   TypeRelation
	Right  TypeRelation
	Place  source.Place
}

// Test is an embedded test.
type Test struct {
	Notes
	Name       string
	Open       string // the comment behind {
	Statements []Statement
	End        []string // comments before }
	Place      source.Place
}

// Statement is a line of a test: *Given or *Assert.
type Statement interface {
	Comments() *Notes
	At() source.Place
	statement()
}

// Given is a tuple of a test.
type Given struct {
	Notes
	Userset   Userset // object#relation
	Subject   Userset
	Condition Name
	Context   string // JSON; "" when there is none
	Until     string // RFC 3339; "" when it never expires
	Place     source.Place
}

// AssertKind is the outcome that an assertion claims, by its keyword.
type AssertKind string

// The keywords of assertions.
const (
	Allow       AssertKind = "allow"
	Deny        AssertKind = "deny"
	Conditional AssertKind = "conditional"
	Only        AssertKind = "only"
)

// Assert claims one outcome for every subject, name and object in it.
type Assert struct {
	Notes
	Kind     AssertKind
	Subjects []Userset
	Names    []Name
	Objects  []Object
	Context  string // JSON
	Time     string // RFC 3339; "" for the time of the run
	Missing  []Name
	Place    source.Place
}

func (*Import) decl()    {}
func (*Type) decl()      {}
func (*Condition) decl() {}
func (*Sealed) decl()    {}
func (*Claim) decl()     {}
func (*Test) decl()      {}

func (*Relation) member() {}
func (*Acts) member()     {}

func (*Given) statement()  {}
func (*Assert) statement() {}

// At returns where the node begins, after its comments.
func (n *Import) At() source.Place    { return n.Place }
func (n *Type) At() source.Place      { return n.Place }
func (n *Condition) At() source.Place { return n.Place }
func (n *Sealed) At() source.Place    { return n.Place }
func (n *Claim) At() source.Place     { return n.Place }
func (n *Test) At() source.Place      { return n.Place }
func (n *Relation) At() source.Place  { return n.Place }
func (n *Acts) At() source.Place      { return n.Place }
func (n *Given) At() source.Place     { return n.Place }
func (n *Assert) At() source.Place    { return n.Place }
