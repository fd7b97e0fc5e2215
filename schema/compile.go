// Package schema compiles the schema language to the form that the engine walks,
// and to the table by which tuples are admitted.
//
// Call Compile first; Load reads a file with everything that it imports.
package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Bounds on a schema: one past a bound is refused, with the place.
const (
	MaxFiles      = 1_000
	MaxBytes      = 4 << 20 // of all files
	MaxTypes      = 50_000
	MaxRelations  = 200_000
	MaxConditions = 1_000
	MaxClaims     = 2_000
	MaxNodes      = 500_000 // of rewrites, the targets of arrows counted

	// MaxConditionBytes is the most of all conditions' expressions together: to
	// compile that much takes about half a second.
	MaxConditionBytes = 64 << 10

	maxDiagnostics = 200 // of one schema; the rest is counted, not told
)

// Compile compiles the first of files with what it imports, which must be among
// the others. The error is a source.Diagnostics: all that is wrong, in the order
// of places. Numbers are asked for only when nothing is.
func Compile(files []source.File, n Numbering) (*Module, error) {
	c := &compiler{types: map[string]*typeSymbol{}, conditions: map[string]*Condition{}, params: map[string]bool{}}
	if len(files) == 0 {
		return nil, source.Diagnostics{{Code: "no_file", Message: "there is no schema file to compile"}}
	}
	c.read(files)
	c.declare()
	c.compileConditions()
	m := c.resolve(NewNumbering())
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := prove(m).Sort().Errors(); err != nil {
		return nil, err
	}
	m = c.resolve(n)
	m.Warnings = append(c.found, lint(m)...).Sort()
	return m, nil
}

// resolve makes a module of what is declared, with the numbers of n. It can be
// called again: Compile first tries a schema with numbers of its own.
func (c *compiler) resolve(n Numbering) *Module {
	c.nodes = 0
	c.number(n)
	c.rewrites()
	c.seal()
	c.acts()
	c.sealedWalks()
	c.cycles()
	m := &Module{Files: c.files}
	m.Schema = New(ast.Language, c.typeList(), c.conditionList)
	m.Admission = c.admission()
	c.admitter = m.Admission.Index()
	m.Admitter = c.admitter
	m.Claims = c.claims()
	m.Tests = c.tests(m)
	return m
}

// compiler holds what is known of a schema while it is compiled.
type compiler struct {
	files         []source.File
	trees         []*ast.File // by file
	found         source.Diagnostics
	dropped       int
	types         map[string]*typeSymbol
	typeOrder     []*typeSymbol
	typeNames     []string
	conditions    map[string]*Condition
	conditionList []*Condition
	params        map[string]bool // the names of all conditions' parameters
	celBytes      int             // of the conditions' expressions so far
	refuse        []string
	relations     []*relationSymbol // of all types, in the order of their numbers' asking
	nodes         int
	admitter      *Admitter
}

// typeSymbol is a type with its declarations: its own, then what extends it.
type typeSymbol struct {
	*Type
	node      *ast.Type
	bodies    []*ast.Type
	names     map[string]*relationSymbol
	nameOrder []string
	partial   bool // a member could not be read: a name may be there that nobody knows
}

// relationSymbol is a relation or permission with where it is declared.
type relationSymbol struct {
	*Relation
	node *ast.Relation
	name ast.Name
	typ  *typeSymbol
	// unsure says that a part could not be resolved, which has been reported: what
	// follows from the rest alone is not.
	unsure bool
}

// report adds an error. At the bound it counts only, so that a hostile schema
// cannot buy work with faults.
func (c *compiler) report(place source.Place, width int, code, message, expected, suggestion string) {
	c.add(source.Diagnostic{Code: code, Place: place, Width: width, Message: message, Expected: expected, Suggestion: suggestion})
}

func (c *compiler) add(d source.Diagnostic) {
	if c.full() {
		c.dropped++
		return
	}
	if d.Excerpt == "" {
		d.Excerpt = source.Excerpts(c.files)(d.Place)
	}
	c.found = append(c.found, &d)
}

func (c *compiler) full() bool { return len(c.found) >= maxDiagnostics }

// unknown reports a name that nobody declares, with the nearest that somebody does.
func (c *compiler) unknown(name ast.Name, code, message string, candidates []string) {
	if c.full() {
		c.dropped++
		return
	}
	c.report(name.Place, name.Width, code, message, "", source.DidYouMean(name.Text, candidates))
}

// finish returns the errors that were found, all of them; nil when there are none.
func (c *compiler) finish() error {
	c.found = c.found.Sort()
	if err := c.found.Errors(); err == nil {
		return nil
	}
	if c.dropped > 0 {
		last := c.found[len(c.found)-1]
		c.found = append(c.found, &source.Diagnostic{Code: "too_many_errors", Place: last.Place,
			Message: fmt.Sprintf("%d more are not shown", c.dropped)})
	}
	return c.found.Errors()
}

func (c *compiler) typeList() []*Type {
	types := make([]*Type, len(c.typeOrder))
	for i, t := range c.typeOrder {
		types[i] = t.Type
	}
	return types
}

// number asks for the numbers of all names, in the order of the source, and
// forgets what was resolved with others.
func (c *compiler) number(n Numbering) {
	for _, t := range c.typeOrder {
		t.ID = n.TypeID(t.Name)
		t.Type.Acts = nil
		for _, name := range t.nameOrder {
			r := t.names[name]
			r.ID = n.RelationID(t.Name, name)
			r.Rewrite, r.Shapes, r.AtMost, r.Sealed = &Expr{Place: r.node.Place}, nil, 0, nil
		}
	}
	for _, condition := range c.conditionList {
		condition.ID = n.ConditionID(condition.Name)
	}
}

// typeOf finds a type by name and reports one that there is not.
func (c *compiler) typeOf(name ast.Name) *typeSymbol {
	t := c.types[name.Text]
	if t == nil {
		c.unknown(name, "unknown_type", fmt.Sprintf("there is no type %q", name.Text), c.typeNames)
	}
	return t
}

// relationOf finds a relation or permission of a type and reports one that there
// is not.
func (c *compiler) relationOf(t *typeSymbol, name ast.Name) *relationSymbol {
	r := t.names[name.Text]
	if r == nil && !t.partial {
		c.unknown(name, "unknown_relation", fmt.Sprintf("type %s has no relation or permission %q", t.Name, name.Text), t.nameOrder)
	}
	return r
}

// object checks an object that the schema names: its type is there, and a
// singleton's id is the one.
func (c *compiler) object(o ast.Object) *typeSymbol {
	t := c.typeOf(ast.Name{Text: o.Type, Place: o.Place, Width: max(o.Width-len(o.ID)-1, 1)})
	if t != nil && t.Singleton != "" && o.ID != t.Singleton && o.ID != tuple.Wildcard {
		c.report(o.Place, o.Width, "singleton", fmt.Sprintf("type %s has one object, and %s:%s is not it", t.Name, o.Type, o.ID),
			t.Name+":"+t.Singleton, "")
	}
	return t
}
