package openfga

import (
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// parser reads the DSL line by line: a fault ends its line, the next one is read
// on, so that all faults of a file are reported at once.
type parser struct {
	tokens  []token
	at      int
	report  *dialect.Reporter
	model   *model
	typ     *typeDef // the type whose relations follow; nil outside
	inBody  bool     // its word relations was read
	opened  token    // that word
	order   int
	pending []remark // comments that wait for their declaration
	depth   int

	extended map[string]source.Place // types that this file extends
}

// fault is what unwinds a parser to the end of the statement: it has been reported.
type fault struct{}

func (fault) Error() string { return "reported" }

// parseDSL reads a model, or a module, from the DSL; nil when its header is wrong.
func parseDSL(f source.File, report *dialect.Reporter) *model {
	p := &parser{tokens: scan(f, report), report: report, model: &model{}, extended: map[string]source.Place{}}
	if p.header() != nil {
		return nil
	}
	for p.peek().kind != end {
		if p.statement() != nil {
			p.skipLine()
		}
	}
	p.closeBody()
	p.flush()
	return p.model
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) take() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) skipLine() {
	for p.peek().kind != newline && p.peek().kind != end {
		p.at++
	}
}

func (p *parser) fail(t token, expected string) error {
	p.report.Expected(t.place, t.width(), t.found(), expected)
	return fault{}
}

// blanks reads empty lines and comments that stand alone; what stood directly
// above the next statement is its documentation.
func (p *parser) blanks() {
	empty := 0
	for {
		switch t := p.peek(); {
		case t.kind == newline:
			empty++
			if empty > 1 {
				p.undoc()
			}
		case t.kind == comment:
			empty = 0
			p.pending = append(p.pending, remark{Text: t.text, Doc: t.alone})
		default:
			return
		}
		p.at++
	}
}

// undoc makes pending comments plain: an empty line parts them from what follows.
func (p *parser) undoc() {
	for i := range p.pending {
		p.pending[i].Doc = false
	}
}

func (p *parser) comments() []remark {
	c := p.pending
	p.pending = nil
	return c
}

// flush keeps the comments at the end of the file.
func (p *parser) flush() {
	for _, c := range p.comments() {
		p.model.tail = append(p.model.tail, c.Text)
	}
}

// header reads "model", "schema 1.1", or "module name".
func (p *parser) header() error {
	p.blanks()
	for _, c := range p.comments() {
		p.model.comments = append(p.model.comments, c.Text)
	}
	first := p.take()
	switch first.text {
	case "module":
		n, err := p.name("the name of the module")
		if err != nil {
			return err
		}
		p.model.module = n
		return p.endLine()
	case "model":
		if err := p.endLine(); err != nil {
			return err
		}
		p.blanks()
		if t := p.take(); t.text != "schema" {
			return p.fail(t, "schema and its version: schema 1.1")
		}
		version := p.take()
		if version.kind != word {
			return p.fail(version, "the version of the schema: 1.1 or 1.2")
		}
		p.model.version = name{Text: version.text, Place: version.place}
		return p.endLine()
	}
	return p.fail(first, "model, with schema 1.1 below it, or module")
}

// endLine expects the end of the line; a comment there waits for what follows,
// or joins what the line declares.
func (p *parser) endLine() error {
	if t := p.peek(); t.kind == comment {
		p.pending = append(p.pending, remark{Text: t.text})
		p.at++
	}
	if t := p.peek(); t.kind != newline && t.kind != end {
		return p.fail(t, "the end of the line")
	}
	return nil
}

func (p *parser) statement() error {
	p.blanks()
	t := p.peek()
	if t.kind == end {
		return nil
	}
	switch {
	case t.text == "type" || t.text == "extend":
		return p.typeLine()
	case t.text == "condition":
		return p.condition()
	case t.text == "relations" && p.typ != nil && !p.inBody:
		p.opened = p.take()
		p.inBody = true
		return p.endLine()
	case t.text == "define" && p.inBody:
		return p.define()
	case t.text == "define" && p.typ != nil:
		return p.fail(t, "the line relations above the first define of a type")
	case p.inBody:
		return p.fail(t, "define, type, extend type or condition")
	case p.typ != nil:
		return p.fail(t, "relations, type, extend type or condition")
	}
	return p.fail(t, "type, extend type or condition")
}

// closeBody ends the relations of a type, which has some where it has the word.
func (p *parser) closeBody() {
	if p.inBody && len(p.typ.relations) == 0 && !p.report.Failed() {
		p.report.Expected(p.opened.place, p.opened.width(), "relations without any define", "define and a relation below it")
	}
	p.typ, p.inBody = nil, false
}

// typeLine reads "type name" or "extend type name".
func (p *parser) typeLine() error {
	p.closeBody()
	t := &typeDef{order: p.order, comments: p.comments()}
	p.order++
	first := p.take()
	if len(p.model.conditions) > 0 {
		p.report.Refuse("late_type", first.place, first.width(), "types stand above all conditions", "move the conditions to the end of the file")
	}
	if first.text == "extend" {
		t.extend = true
		if p.model.module.Text == "" {
			p.report.Refuse("extend_outside_module", first.place, first.width(),
				"extend type stands only in a module", "write the relations where the type is defined, or begin the file with module")
		}
		if next := p.take(); next.text != "type" {
			return p.fail(next, "type")
		}
	}
	n, err := p.name("the name of the type")
	if err != nil {
		return err
	}
	t.name = n
	if first, twice := p.extended[n.Text]; t.extend && twice {
		p.report.Refuse("duplicate", n.Place, len(n.Text), "the type "+tuple.Clip(n.Text)+" is extended twice in this file", "join the two: the first is at "+first.String())
	} else if t.extend {
		p.extended[n.Text] = n.Place
	}
	p.typ = t
	p.model.types = append(p.model.types, t)
	return p.endWith(&t.comments)
}

// endWith reads the end of a line; a comment there joins those of what it declares.
func (p *parser) endWith(comments *[]remark) error {
	inside := len(p.pending)
	err := p.endLine()
	for i := inside; i < len(p.pending); i++ {
		p.pending[i].Trail = true
	}
	*comments = append(*comments, p.comments()...)
	return err
}

// keywords may not be names where the grammar would read them otherwise.
var keywords = []string{"or", "and", "but", "from", "with", "define", "relations", "condition"}

// name reads a name; what says what it names.
func (p *parser) name(what string) (name, error) {
	t := p.peek()
	if t.kind != word || slices.Contains(keywords, t.text) {
		return name{}, p.fail(t, what)
	}
	if !joined(t.text) {
		return name{}, p.fail(t, what+", with . and / only between other characters")
	}
	p.at++
	return name{Text: t.text, Place: t.place}, nil
}

// joined says whether . and / stand only between other characters.
func joined(text string) bool {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == '/' })
	return len(parts) == strings.Count(text, ".")+strings.Count(text, "/")+1
}

// define reads "define name: rewrite".
func (p *parser) define() error {
	p.at++
	r := &relationDef{comments: p.comments()}
	n, err := p.name("the name of the relation")
	if err != nil {
		return err
	}
	r.name = n
	if t := p.take(); t.kind != ':' {
		p.at--
		p.typ.relations = append(p.typ.relations, &relationDef{name: n})
		return p.fail(t, "a colon behind the relation's name")
	}
	p.typ.relations = append(p.typ.relations, r)
	if r.rewrite, err = p.rewrite(r, true); err != nil {
		return err
	}
	return p.endWith(&r.comments)
}
