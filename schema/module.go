package schema

import (
	"time"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Module is a schema with all that its files hold: the root file and everything
// that it imports.
type Module struct {
	Schema    *Schema
	Admission *Admission
	Admitter  *Admitter     // the admission table, indexed
	Files     []source.File // the root first, then in the order of first import
	Tests     []*Test
	Claims    []*Claim
	Warnings  source.Diagnostics // lints; an erroneous schema has no Module at all
}

// Test is an embedded test: tuples, and what they must make true.
type Test struct {
	Name       string
	Given      []Given
	Assertions []*Assertion
	Place      source.Place
}

// Given is a tuple of a test.
type Given struct {
	Tuple tuple.Tuple
	Place source.Place
}

// AssertionKind is what an assertion claims.
type AssertionKind uint8

const (
	Allow AssertionKind = iota
	Deny
	IsConditional
	Only // these subjects, and nobody else of their types, named or not
)

// Assertion claims one outcome for every subject, name and object in it.
type Assertion struct {
	Kind     AssertionKind
	Subjects []tuple.Subject
	Names    []string // relations or permissions
	Objects  []tuple.Object
	Context  tuple.Context // the request's part
	At       time.Time     // the instant; zero: the time of the run
	Missing  []string      // IsConditional: the context that must be named as missing; nil: any
	Place    source.Place
}

// ClaimKind is what a claim says of two usersets of the type graph.
type ClaimKind uint8

const (
	NeverGrants ClaimKind = iota // no path in the type graph from Left to Right
	NeverHolds                   // no subject can be in both
	AlwaysHolds                  // whoever is in Left is in Right
)

// Claim is proven over the type graph when the schema is compiled.
type Claim struct {
	Kind  ClaimKind
	Left  tuple.RelationID
	Right tuple.RelationID
	Place source.Place
}
