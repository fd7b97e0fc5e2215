// Package tuple holds the words every other package speaks: objects, subjects,
// tuples, filters over them, revisions, and their numbered forms.
//
// Call Parse first: it turns the text
//
//	document:readme#viewer@group:eng#member with from_office {"cidr":"10.0.0.0/8"} until 2030-01-01T00:00:00Z
//
// into a Tuple, and Tuple.String turns it back. The package is a leaf: it knows
// no schema, so it checks the form of a tuple and never whether a store admits it.
package tuple

import (
	"cmp"
	"strings"
	"time"
)

// Wildcard is the id that stands for every object of a type when it is a
// subject: user:*. No object may have it.
const Wildcard = "*"

// Object is one object of a type: document:readme.
type Object struct {
	Type string
	ID   string
}

// String returns type:id.
func (o Object) String() string { return o.Type + ":" + o.ID }

// Compare orders objects by type, then by id, byte by byte.
func (o Object) Compare(p Object) int {
	return cmp.Or(strings.Compare(o.Type, p.Type), strings.Compare(o.ID, p.ID))
}

// Subject is who a tuple names: an object (user:ana), a userset
// (group:eng#member, Relation set), or a wildcard (user:*).
type Subject struct {
	Type     string
	ID       string
	Relation string // "" unless the subject is a userset
}

// Object returns the object of the subject, without its relation.
func (s Subject) Object() Object { return Object{Type: s.Type, ID: s.ID} }

// IsWildcard says whether the subject is every object of its type.
func (s Subject) IsWildcard() bool { return s.ID == Wildcard }

// IsUserset says whether the subject is object#relation.
func (s Subject) IsUserset() bool { return s.Relation != "" }

// String returns type:id, type:* or type:id#relation.
func (s Subject) String() string {
	if s.Relation == "" {
		return s.Type + ":" + s.ID
	}
	return s.Type + ":" + s.ID + "#" + s.Relation
}

// Compare orders subjects by type, id and relation, byte by byte.
func (s Subject) Compare(t Subject) int {
	return cmp.Or(s.Object().Compare(t.Object()), strings.Compare(s.Relation, t.Relation))
}

// Condition is the condition that a tuple carries, with the tuple's part of the
// context.
type Condition struct {
	Name    string  // "" when the tuple has no condition
	Context Context // "" when the tuple gives none
}

// Context is a JSON object in canonical form (CanonicalContext): names sorted,
// no white space, numbers as they were written. The empty string is no context.
// Being a string it compares, and tuples that hold it compare.
type Context string

// Key identifies a tuple: no two tuples of a store have the same one.
type Key struct {
	Object   Object
	Relation string
	Subject  Subject
}

// String returns object#relation@subject.
func (k Key) String() string {
	return k.Object.String() + "#" + k.Relation + "@" + k.Subject.String()
}

// Compare orders keys by object, relation and subject, byte by byte.
func (k Key) Compare(l Key) int {
	return cmp.Or(k.Object.Compare(l.Object), strings.Compare(k.Relation, l.Relation), k.Subject.Compare(l.Subject))
}

// Tuple says that Subject has Relation on Object, if Condition holds, until
// Expires. Condition and expiry are attributes: the Key alone identifies it.
type Tuple struct {
	Key
	Condition Condition
	Expires   time.Time // zero when it never expires; it is gone at that very instant
}

// String returns the text that Parse reads.
func (t Tuple) String() string {
	var b strings.Builder
	b.WriteString(t.Key.String())
	if t.Condition.Name != "" {
		b.WriteString(" with " + t.Condition.Name)
		if t.Condition.Context != "" {
			b.WriteString(" " + string(t.Condition.Context))
		}
	}
	if !t.Expires.IsZero() {
		b.WriteString(" until " + t.Expires.UTC().Format(time.RFC3339Nano))
	}
	return b.String()
}
