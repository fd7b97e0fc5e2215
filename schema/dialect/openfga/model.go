package openfga

import (
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// model is an OpenFGA model as it was read, from the DSL, from JSON, or from the
// modules of one manifest.
type model struct {
	file       string // of a module: its path as the manifest gives it
	version    name   // of the schema: 1.1, 1.2
	module     name   // of a module file
	comments   []string
	types      []*typeDef
	conditions []*conditionDef
	tail       []string // comments below everything
}

type (
	name   = dialect.Name
	remark = dialect.Remark
)

type typeDef struct {
	name      name
	extend    bool
	comments  []remark
	relations []*relationDef
	order     int // of declaration among types and conditions
}

type relationDef struct {
	name     name
	comments []remark
	rewrite  *rewrite
	direct   []restriction // the type restrictions, whatever the rewrite
	// assignable says that the source gives restrictions, even none.
	assignable bool
}

// restriction is one type restriction: user, group#member, user:*.
type restriction struct {
	typ       name
	relation  name
	wildcard  bool
	condition name
}

func (r restriction) String() string {
	text := r.typ.Text
	if r.wildcard {
		text += ":*"
	}
	if r.relation.Text != "" {
		text += "#" + r.relation.Text
	}
	if r.condition.Text != "" {
		text += " with " + r.condition.Text
	}
	return text
}

type operator uint8

const (
	this         operator = iota // the tuples of the relation itself
	computed                     // relation
	fromTupleset                 // relation from tupleset
	union
	intersection
	difference
)

type rewrite struct {
	operator operator
	place    source.Place
	relation name
	tupleset name
	operands []*rewrite
}

type conditionDef struct {
	name     name
	comments []remark
	params   []paramDef
	body     name
	program  *condition.Program
	quoted   bool // the body stood in a JSON string: places inside it are not known
	order    int
}

type paramDef struct {
	name name
	typ  string // in Pemba's words: string, list<int>
}

// paramTypes are the types of parameters, the same words in Pemba; those that
// are true need an element type.
var paramTypes = map[string]bool{
	"bool": false, "string": false, "int": false, "uint": false, "double": false, "duration": false,
	"timestamp": false, "ipaddress": false, "any": false, "list": true, "map": true,
}
