package ast

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
	"github.com/pemba-authz/pemba/schema/source"
)

// Bounds on what is read: a file past one is refused, with the place.
const (
	MaxFileBytes   = 2 << 20
	MaxTokens      = 600_000 // of one file
	MaxLineTokens  = 50_000  // of one declaration, member or statement
	MaxDepth       = 100     // of parentheses, brackets and parameter types in one another
	maxDiagnostics = 100     // of one file; the rest is counted, not told
)

// Parse reads a file. It returns a tree in every case: what could not be read is
// left out of it and told in the diagnostics, which are in the order of places.
func Parse(file source.File) (*File, source.Diagnostics) {
	p := &parser{out: NewFile(file.Name), name: file.Name}
	if len(file.Text) > MaxFileBytes {
		place := source.Place{File: file.Name, Line: 1, Column: 1}
		return p.out, source.Diagnostics{{Code: "file_too_large", Place: place, Suggestion: "split it with import",
			Message: fmt.Sprintf("the file has %d bytes, %d are the most", len(file.Text), MaxFileBytes)}}
	}
	text := strings.ReplaceAll(strings.TrimPrefix(file.Text, "\uFEFF"), "\r\n", "\n")
	p.lines = strings.Split(text, "\n")
	p.characters(text)
	p.separate(scan(file.Name, text))
	if len(p.tokens) > MaxTokens {
		p.reportToken(p.tokens[MaxTokens], "file_too_large", fmt.Sprintf("the file has more than %d words and marks", MaxTokens), "",
			"split it with import")
		return p.out, p.diagnostics
	}
	p.file()
	p.diagnostics = p.diagnostics.Sort()
	if p.dropped > 0 {
		last := p.diagnostics[len(p.diagnostics)-1]
		p.diagnostics = append(p.diagnostics, &source.Diagnostic{Code: "too_many_errors", Place: last.Place,
			Message: fmt.Sprintf("%d more errors are not shown", p.dropped)})
	}
	return p.out, p.diagnostics
}

// characters refuses what makes a file read other than it looks: bytes that are
// no UTF-8, and the marks that turn the direction of writing.
func (p *parser) characters(text string) {
	bad := func(r rune) bool {
		return r == utf8.RuneError || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
	}
	pos := lexer.Position{Line: 1, Column: 1}
	for rest := text; len(p.diagnostics) < maxDiagnostics; {
		i := strings.IndexFunc(rest, bad)
		if i < 0 {
			return
		}
		pos.Advance(rest[:i])
		r, size := utf8.DecodeRuneInString(rest[i:])
		message := fmt.Sprintf("the character %U changes how the line looks", r)
		if r == utf8.RuneError {
			message = "this is no UTF-8"
		}
		p.report(pos, 1, "bad_character", message, "", "remove it")
		pos.Advance(rest[i : i+size])
		rest = rest[i+size:]
	}
}

// parser walks over the significant tokens of a file.
type parser struct {
	name        string
	lines       []string
	tokens      []lexer.Token // without comments; the last one is the end
	notes       [][]comment   // by token: the comments that stand right before it
	i           int
	out         *File
	diagnostics source.Diagnostics
	dropped     int
}

// comment is a comment where it stands.
type comment struct {
	text      string
	line, end int
	own       bool // nothing stands before it on its line
}

// separate parts the comments from the tokens that the grammar reads.
func (p *parser) separate(tokens []lexer.Token) {
	p.tokens = make([]lexer.Token, 0, len(tokens))
	p.notes = make([][]comment, 0, len(tokens))
	var pending []comment
	last := 0 // the line where the token or comment before ends
	for _, t := range tokens {
		end := t.Pos.Line + strings.Count(t.Value, "\n")
		if t.Type == commentToken {
			text := strings.TrimRight(t.Value, " \t\r")
			pending = append(pending, comment{text: text, line: t.Pos.Line, end: end, own: t.Pos.Line != last})
		} else {
			p.tokens = append(p.tokens, t)
			p.notes = append(p.notes, pending)
			pending = nil
		}
		last = end
	}
}

func (p *parser) at(i int) lexer.Token { return p.tokens[min(i, len(p.tokens)-1)] }

func (p *parser) is(i int, value string) bool { return p.at(i).Value == value }

func (p *parser) place(pos lexer.Position) source.Place {
	return source.Place{File: p.name, Line: pos.Line, Column: pos.Column}
}

// report adds a diagnostic with the line it is about.
func (p *parser) report(pos lexer.Position, width int, code, message, expected, suggestion string) {
	if len(p.diagnostics) >= maxDiagnostics {
		p.dropped++
		return
	}
	d := &source.Diagnostic{Code: code, Place: p.place(pos), Width: width, Message: strings.ToValidUTF8(message, "\uFFFD"), Expected: expected, Suggestion: suggestion}
	if pos.Line >= 1 && pos.Line <= len(p.lines) {
		d.Excerpt = source.Clip(p.lines[pos.Line-1], pos.Column)
	}
	p.diagnostics = append(p.diagnostics, d)
}

func (p *parser) reportToken(t lexer.Token, code, message, expected, suggestion string) {
	p.report(t.Pos, tokenWidth(t), code, message, expected, suggestion)
}

// tokenWidth is the width of a token on its first line, in characters.
func tokenWidth(t lexer.Token) int {
	line, _, _ := strings.Cut(t.Value, "\n")
	return utf8.RuneCountInString(line)
}

func tokenText(t lexer.Token) string {
	if t.Type == lexer.EOF {
		return "the end"
	}
	line, _, _ := strings.Cut(t.Value, "\n")
	if len(line) > 60 {
		line = strings.ToValidUTF8(line[:60], "") + "…"
	}
	return fmt.Sprintf("%q", line)
}

// endOf is the position right behind the token i.
func (p *parser) endOf(i int) lexer.Position {
	t := p.at(i)
	t.Pos.Advance(t.Value)
	return t.Pos
}

// file reads a whole file.
func (p *parser) file() {
	p.header()
	for p.at(p.i).Type != lexer.EOF {
		start := p.i
		if decl := p.declaration(); decl != nil {
			p.out.Decls = append(p.out.Decls, decl)
		}
		if p.i == start { // nothing was read: never stand still
			p.i++
		}
	}
	_, p.out.End = p.before(p.i)
}

func (p *parser) header() {
	first := p.at(0)
	if !p.is(0, "pemba") {
		p.reportToken(first, "missing_header", "a schema file begins with its language version",
			`"pemba 1"`, fmt.Sprintf("write %q as the first line", fmt.Sprintf("pemba %d", Language)))
		return
	}
	end := p.declarationEnd(0)
	rule, ok := read(p, headerParser, 0, end, "the header", "pemba 1, then any number of: refuse NAME")
	h := &p.out.Header
	h.Place = p.place(first.Pos)
	if ok {
		if rule.Language.Text != "1" {
			p.report(rule.Language.Pos, len(rule.Language.Text), "language_version",
				fmt.Sprintf("this is language version 1, the file is written in %q", rule.Language.Text), "pemba 1", "")
		}
		h.Refuse = p.names(rule.Refuse, false)
	}
	p.i = end
	p.around(&h.Notes, 0, end)
}

// declarations by keyword, and whether what follows the keyword makes it one.
var declarations = map[string]func(next, after lexer.Token) bool{
	"import":    func(next, _ lexer.Token) bool { return next.Type == stringToken },
	"type":      func(next, _ lexer.Token) bool { return isName(next) },
	"extend":    func(next, _ lexer.Token) bool { return next.Value == "type" },
	"singleton": func(next, _ lexer.Token) bool { return next.Type == objectToken },
	"condition": func(next, after lexer.Token) bool { return isName(next) && after.Value == "(" },
	"sealed":    func(next, _ lexer.Token) bool { return next.Type == objectToken },
	"never":     func(next, after lexer.Token) bool { return isName(next) && after.Value == "#" },
	"always":    func(next, after lexer.Token) bool { return isName(next) && after.Value == "#" },
	"test":      func(next, _ lexer.Token) bool { return next.Type == stringToken },
}

var declarationWords = []string{"import", "type", "extend", "singleton", "condition", "sealed", "never", "always", "test"}

func isName(t lexer.Token) bool { return t.Type == nameToken || t.Type == quotedToken }

// begins says whether a declaration begins at token i, inside of one that began
// at start: by what follows, or, for what cannot be read, by standing first on its line.
func (p *parser) begins(i, start int) bool {
	fits, ok := declarations[p.at(i).Value]
	if !ok && i > start+1 && p.at(i).Pos.Column == 1 && p.strays(i) {
		return true
	}
	if !ok || p.at(i).Type != nameToken || p.is(i-1, "#") ||
		i == start+1 && (p.is(start, "type") || p.is(start, "extend")) {
		return false
	}
	return fits(p.at(i+1), p.at(i+2)) || p.at(i).Pos.Column == 1
}

// declarationEnd returns where the declaration that begins at start ends: at the
// next one, at a { that opens a body, or at the end.
func (p *parser) declarationEnd(start int) int {
	for i := start + 1; ; i++ {
		if p.at(i).Type == lexer.EOF || p.begins(i, start) {
			return min(i, len(p.tokens)-1)
		}
	}
}

func (p *parser) declaration() Decl {
	start := p.i
	t := p.at(start)
	if _, ok := declarations[t.Value]; !ok || t.Type != nameToken {
		p.unknownDeclaration(start)
		return nil
	}
	switch t.Value {
	case "type", "extend", "singleton":
		return p.typeDeclaration()
	case "test":
		return p.test()
	}
	end := p.declarationEnd(start)
	p.i = end
	var decl Decl
	switch t.Value {
	case "import":
		decl = p.importDeclaration(start, end)
	case "condition":
		decl = p.condition(start, end)
	case "sealed":
		decl = p.sealed(start, end)
	default:
		decl = p.claim(start, end)
	}
	if decl != nil {
		p.around(decl.Comments(), start, end)
	}
	return decl
}

// unknownDeclaration reports what begins no declaration and skips to the next.
func (p *parser) unknownDeclaration(start int) {
	t := p.at(start)
	suggestion := ""
	if t.Type == nameToken {
		suggestion = source.DidYouMean(t.Value, declarationWords)
	}
	switch t.Value {
	case "relation", "permission", "acts":
		suggestion = fmt.Sprintf("a %s stands inside the braces of a type", t.Value)
	case "pemba":
		suggestion = "the header is the first line of a file"
	}
	p.reportToken(t, "syntax", fmt.Sprintf("%s begins no declaration", tokenText(t)),
		"import, type, singleton, extend, condition, sealed, never, always or test", suggestion)
	depth := 0
	for p.i = start; p.at(p.i).Type != lexer.EOF; p.i++ {
		if p.i > start && p.begins(p.i, start) {
			return
		}
		switch p.at(p.i).Value {
		case "{":
			depth++
		case "}":
			if depth--; depth <= 0 && p.i > start {
				p.i++
				return
			}
		}
	}
}
