package ast

import (
	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar, one production per line of a schema: the parser cuts the tokens
// of a file into declarations, members and statements, so that an error in one
// hides no other, and reads each piece by its production here.

type nameRule struct {
	Pos  lexer.Position
	Text string `parser:"@(Name | Quoted)"`
}

type objectRule struct {
	Pos  lexer.Position
	Text string `parser:"@Object"`
}

type stringRule struct {
	Pos  lexer.Position
	Text string `parser:"@String"`
}

type timeRule struct {
	Pos  lexer.Position
	Text string `parser:"@Time"`
}

type jsonRule struct {
	Pos  lexer.Position
	Text string `parser:"@JSON"`
}

type usersetRule struct {
	Object   objectRule `parser:"@@"`
	Relation *nameRule  `parser:"( '#' @@ )?"`
}

type typeRelationRule struct {
	Type     nameRule `parser:"@@ '#'"`
	Relation nameRule `parser:"@@"`
}

type headerRule struct {
	Pos      lexer.Position
	Language nameRule    `parser:"'pemba' @@"`
	Refuse   []*nameRule `parser:"( 'refuse' @@ )*"`
}

type importRule struct {
	Path stringRule `parser:"'import' @@"`
}

type typeRule struct {
	Name nameRule `parser:"'extend'? 'type' @@"`
}

type singletonRule struct {
	Object objectRule `parser:"'singleton' @@"`
}

type testRule struct {
	Name stringRule `parser:"'test' @@"`
}

type conditionRule struct {
	Name   nameRule     `parser:"'condition' @@"`
	Params []*paramRule `parser:"'(' ( @@ ( ',' @@ )* )? ')'"`
	Body   celRule      `parser:"'{' @@ '}'"`
}

type celRule struct {
	Pos  lexer.Position
	Text string `parser:"@CEL"`
}

type paramRule struct {
	Name nameRule      `parser:"@@ ':'"`
	Type paramTypeRule `parser:"@@"`
}

type paramTypeRule struct {
	Pos     lexer.Position
	Name    string         `parser:"@Name"`
	Element *paramTypeRule `parser:"( '<' @@ '>' )?"`
	EndPos  lexer.Position
}

type sealedRule struct {
	Object   objectRule     `parser:"'sealed' @@ '#'"`
	Relation nameRule       `parser:"@@ '='"`
	Subjects []*usersetRule `parser:"@@ ( ',' @@ )*"`
}

type claimRule struct {
	Kind  string           `parser:"@( 'never' | 'always' )"`
	Left  typeRelationRule `parser:"@@"`
	Verb  nameRule         `parser:"@@"`
	Right typeRelationRule `parser:"@@"`
}

type relationRule struct {
	Kind       string      `parser:"@( 'relation' | 'permission' )"`
	Names      []*nameRule `parser:"@@ ( ',' @@ )*"`
	Mark       markRule    `parser:"@@"`
	Expr       *exprRule   `parser:"@@"`
	Deprecated *stringRule `parser:"( 'deprecated' @@ )?"`
}

type markRule struct {
	Pos  lexer.Position
	Text string `parser:"@( ':' | '=' )"`
}

type actsRule struct {
	Owner       nameRule    `parser:"'acts' 'for' @@"`
	On          nameRule    `parser:"'on' @@"`
	Permissions []*nameRule `parser:"'{' ( @@ ( ',' @@ )* )? '}'"`
}

type exclusiveRule struct {
	Pos   lexer.Position
	Names []*nameRule `parser:"'exclusive' @@ ( ',' @@ )*"`
}

type exprRule struct {
	First *termRule   `parser:"@@"`
	Rest  []*restRule `parser:"@@*"`
}

type restRule struct {
	Pos  lexer.Position
	Op   string    `parser:"@( 'or' | 'and' | 'except' )"`
	Term *termRule `parser:"@@"`
}

type termRule struct {
	Pos    lexer.Position
	Direct *directRule `parser:"@@"`
	Group  *exprRule   `parser:"| '(' @@ ')'"`
	Fixed  *fixedRule  `parser:"| @@"`
	Path   *pathRule   `parser:"| @@"`
}

type directRule struct {
	Subjects  []*subjectRule `parser:"'[' @@ ( '|' @@ )* ']'"`
	Bound     *boundRule     `parser:"@@?"`
	Immutable bool           `parser:"@'immutable'?"`
}

type boundRule struct {
	Pos   lexer.Position
	Kind  string   `parser:"'at' @( 'most' | 'least' )"`
	Count nameRule `parser:"@@"`
}

type subjectRule struct {
	Pos      lexer.Position
	Wildcard *objectRule  `parser:"( @@"`
	Type     *nameRule    `parser:"| @@ )"`
	Relation *nameRule    `parser:"( '#' @@ )?"`
	Traits   []*traitRule `parser:"( 'with' @@ ( 'and' @@ )* )?"`
}

type traitRule struct {
	Name     nameRule `parser:"@@"`
	Optional bool     `parser:"@'?'?"`
}

type fixedRule struct {
	Object   objectRule `parser:"@@ '#'"`
	Relation nameRule   `parser:"@@"`
}

// pathRule reads NAME, NAME->NAME and every NAME->NAME. Operators are no names
// here: after one, the term that is missing is missed.
type pathRule struct {
	Pos   lexer.Position
	Every bool      `parser:"( (?= 'every' ( Name | Quoted ) '->' ) @'every' )?"`
	Name  nameRule  `parser:"(?! 'or' | 'and' | 'except' ) @@"`
	Over  *nameRule `parser:"( '->' @@ )?"`
}

type givenRule struct {
	Object    objectRule  `parser:"'given' @@ '#'"`
	Relation  nameRule    `parser:"@@ '@'"`
	Subject   usersetRule `parser:"@@"`
	Condition *nameRule   `parser:"( 'with' @@"`
	Context   *jsonRule   `parser:"@@? )?"`
	Until     *timeRule   `parser:"( 'until' @@ )?"`
}

type assertRule struct {
	Kind     string         `parser:"@( 'allow' | 'deny' | 'conditional' | 'only' )"`
	Subjects []*usersetRule `parser:"@@ ( ',' @@ )*"`
	Names    []*nameRule    `parser:"'to' @@ ( ',' @@ )*"`
	Objects  []*objectRule  `parser:"'on' @@ ( ',' @@ )*"`
	Context  *jsonRule      `parser:"( 'with' @@ )?"`
	Time     *timeRule      `parser:"( 'at' @@ )?"`
	Missing  []*nameRule    `parser:"( 'missing' @@ ( ',' @@ )* )?"`
}

func production[G any]() *participle.Parser[G] {
	return participle.MustBuild[G](participle.Lexer(definition{}), participle.UseLookahead(2))
}

var (
	headerParser    = production[headerRule]()
	importParser    = production[importRule]()
	typeParser      = production[typeRule]()
	singletonParser = production[singletonRule]()
	testParser      = production[testRule]()
	conditionParser = production[conditionRule]()
	sealedParser    = production[sealedRule]()
	claimParser     = production[claimRule]()
	relationParser  = production[relationRule]()
	actsParser      = production[actsRule]()
	exclusiveParser = production[exclusiveRule]()
	givenParser     = production[givenRule]()
	assertParser    = production[assertRule]()
)
