package spicedb

import (
	"maps"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// parser reads a file statement by statement: a fault ends its statement, the
// next one is read on, so that all faults of a file are reported at once.
type parser struct {
	tokens  []token
	at      int
	report  *dialect.Reporter
	file    *file
	order   int
	pending []remark // comments that wait for their declaration
	depth   int
}

// fault is what unwinds a parser to the end of the statement: it has been reported.
type fault struct{}

func (fault) Error() string { return "reported" }

// flags are what use may switch on, with the words that become keywords by it.
var flags = map[string][]string{
	"expiration": {"expiration", "and"}, "import": {"import"}, "partial": {"partial"}, "self": {"self"}, "typechecking": nil,
}

// parseFile reads one file.
func parseFile(f source.File, report *dialect.Reporter) *file {
	p := &parser{tokens: scan(f, report), report: report, file: &file{name: f.Name, uses: map[string]bool{}}}
	p.header()
	for p.peek().kind != end {
		if p.declaration() != nil {
			p.skipDeclaration()
		}
	}
	for _, c := range p.comments() {
		p.file.tail = append(p.file.tail, c.Text)
	}
	return p.file
}

// peek returns the next token that is no comment; comments wait for what they
// stand above.
func (p *parser) peek() token {
	for p.tokens[p.at].kind == comment {
		t := p.tokens[p.at]
		p.pending = append(p.pending, remark{Text: t.text, Doc: t.alone, Line: t.place.Line, Until: t.until})
		p.at++
	}
	return p.tokens[p.at]
}

func (p *parser) take() token {
	t := p.peek()
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) fail(t token, expected string) error {
	p.report.Expected(t.place, t.width(), t.found(), expected)
	return fault{}
}

func (p *parser) comments() []remark {
	c := p.pending
	p.pending = nil
	return c
}

// above returns the comments above a declaration that begins in a line. Those
// that an empty line parts from it document nothing.
func (p *parser) above(line int) []remark {
	c := p.comments()
	parted := false
	for i := len(c) - 1; i >= 0; i-- {
		parted = parted || c[i].Until < line-1
		c[i].Doc = c[i].Doc && !parted
		line = c[i].Line
	}
	return c
}

func (p *parser) terminators() {
	for p.peek().kind == terminator {
		p.at++
	}
}

// header takes the comment above everything, when an empty line parts it from
// what follows.
func (p *parser) header() {
	p.terminators()
	if n := len(p.pending); n > 0 && p.peek().place.Line > p.tokens[p.at-1].place.Line+1 && p.tokens[p.at-1].kind == comment {
		for _, c := range p.comments() {
			p.file.comments = append(p.file.comments, c.Text)
		}
	}
}

// skipDeclaration passes over the rest of a declaration that does not parse, up
// to a word at the beginning of a statement that begins another.
func (p *parser) skipDeclaration() {
	for {
		t := p.take()
		if t.kind == end {
			return
		}
		next := p.peek()
		if t.kind == terminator && next.kind == word && slices.Contains([]string{"definition", "caveat"}, next.text) {
			return
		}
	}
}

func (p *parser) declaration() error {
	p.terminators()
	t := p.peek()
	switch {
	case t.kind == end:
		return nil
	case t.text == "use" && t.kind == word:
		return p.use()
	case t.text == "import" && p.file.uses["import"]:
		return p.importLine()
	case t.text == "definition" && t.kind == word:
		return p.definition(false)
	case t.text == "partial" && p.file.uses["partial"]:
		return p.definition(true)
	case t.text == "caveat" && t.kind == word:
		return p.caveat()
	}
	return p.fail(t, "definition, caveat or use (and after use import or use partial, import or partial)")
}

func (p *parser) endStatement() error {
	t := p.peek()
	if t.kind == terminator || t.kind == '}' || t.kind == end {
		return nil
	}
	return p.fail(t, "the end of the statement")
}

// endDeclaration ends one outside of a definition: the next may share its line.
func (p *parser) endDeclaration() error {
	if t := p.peek(); t.kind == word && slices.Contains([]string{"use", "definition", "caveat"}, t.text) {
		return nil
	}
	return p.endStatement()
}

// use reads "use expiration". A flag may be switched on twice.
func (p *parser) use() error {
	first := p.take()
	t := p.take()
	if _, known := flags[t.text]; t.kind != word || !known {
		return p.fail(t, strings.Join(slices.Sorted(maps.Keys(flags)), ", "))
	}
	if len(p.file.definitions)+len(p.file.caveats) > 0 {
		p.report.Refuse("late_use", first.place, first.width(), "use stands above the first definition", "move it to the beginning of the file")
	}
	p.file.uses[t.text] = true
	for _, c := range p.comments() {
		p.file.comments = append(p.file.comments, c.Text)
	}
	return p.endDeclaration()
}

// importLine reads: import "path".
func (p *parser) importLine() error {
	p.take()
	t := p.take()
	if t.kind != quoted {
		return p.fail(t, "the path of the file in quotes")
	}
	p.file.imports = append(p.file.imports, &importDef{path: name{Text: t.text, Place: t.place}, comments: p.comments()})
	return p.endStatement()
}

// keyword says whether a word cannot be a name in this file.
func (p *parser) keyword(text string) bool {
	for flag, words := range flags {
		if p.file.uses[flag] && slices.Contains(words, text) {
			return true
		}
	}
	return slices.Contains([]string{"use", "definition", "caveat", "relation", "permission", "nil", "with"}, text)
}

func (p *parser) name(what string) (name, error) {
	t := p.peek()
	if t.kind != word || p.keyword(t.text) {
		return name{}, p.fail(t, what)
	}
	p.at++
	return name{Text: t.text, Place: t.place}, nil
}

// path reads a name with its prefixes: tenant/document.
func (p *parser) path(what string) (name, error) {
	n, err := p.name(what)
	for err == nil && p.peek().kind == '/' {
		p.at++
		var segment name
		segment, err = p.name(what)
		n.Text += "/" + segment.Text
	}
	return n, err
}

// definition reads "definition name { members }", or a partial.
func (p *parser) definition(partial bool) error {
	first := p.take()
	d := &definition{partial: partial, comments: p.above(first.place.Line), order: p.order}
	p.order++
	n, err := p.path("the name of the definition")
	if err != nil {
		return err
	}
	d.name = n
	p.file.definitions = append(p.file.definitions, d)
	if t := p.peek(); t.kind != '{' {
		return p.fail(t, "{ and the relations and permissions")
	}
	p.at++
	for {
		p.terminators()
		t := p.peek()
		if t.kind == '}' || t.kind == end {
			break
		}
		if err := p.member(d); err != nil && !p.skipMember() {
			return fault{}
		}
	}
	d.tail = p.comments()
	if t := p.take(); t.kind != '}' {
		return p.fail(t, "relation, permission or }")
	}
	err = p.endDeclaration()
	d.comments = append(d.comments, p.trailing()...)
	return err
}

// skipMember passes over the rest of a member that does not parse; false when
// what follows is no part of the definition.
func (p *parser) skipMember() bool {
	for {
		t := p.peek()
		switch {
		case t.kind == end || t.kind == word && (t.text == "definition" || t.text == "caveat"):
			return false
		case t.kind == '}' || t.kind == terminator:
			return true
		}
		p.at++
	}
}
