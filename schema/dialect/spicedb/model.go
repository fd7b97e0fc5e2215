package spicedb

import (
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// file is one file of a schema as it was read.
type file struct {
	name        string
	uses        map[string]bool
	comments    []string // above everything
	imports     []*importDef
	definitions []*definition // and partials
	caveats     []*caveat
	tail        []string // comments below everything
}

type (
	name   = dialect.Name
	remark = dialect.Remark
)

type importDef struct {
	path     name
	comments []remark
}

// definition is a definition, or a partial that others take in.
type definition struct {
	name     name
	partial  bool
	comments []remark
	members  []*member
	tail     []remark
	order    int // of declaration among definitions and caveats
}

// member is a relation, a permission, or a reference to a partial.
type member struct {
	kind        memberKind
	name        name
	comments    []remark
	types       []allowed // of a relation
	expression  *expression
	annotations []name // of a permission: the types that it may lead to
	annotated   bool
}

type memberKind uint8

const (
	relation memberKind = iota
	permission
	splat // ...partial
)

// allowed is one kind of subject of a relation.
type allowed struct {
	typ        name
	relation   name
	wildcard   bool
	caveat     name
	expiration bool
}

func (a allowed) String() string {
	text := a.typ.Text
	if a.wildcard {
		text += ":*"
	}
	if a.relation.Text != "" {
		text += "#" + a.relation.Text
	}
	var traits []string
	if a.caveat.Text != "" {
		traits = append(traits, a.caveat.Text)
	}
	if a.expiration {
		traits = append(traits, "expiration")
	}
	if len(traits) > 0 {
		text += " with " + strings.Join(traits, " and ")
	}
	return text
}

type operator uint8

const (
	reference operator = iota // a relation or permission
	walk                      // relation->target, relation.any(target)
	walkAll                   // relation.all(target)
	none                      // nil
	itself                    // self
	union
	intersection
	exclusion
)

type expression struct {
	operator operator
	place    source.Place
	relation name // of a reference, or what is walked
	target   name
	operands []*expression
	grouped  bool // it stands in parentheses
}

type caveat struct {
	name     name
	comments []remark
	params   []param
	body     name
	order    int
}

type param struct {
	name name
	typ  string // in Pemba's words
}

// paramTypes are the types of parameters, the same words in Pemba; those that
// are true need an element type.
var paramTypes = map[string]bool{
	"bool": false, "string": false, "int": false, "uint": false, "double": false, "bytes": false, "duration": false,
	"timestamp": false, "ipaddress": false, "any": false, "list": true, "map": true,
}
