package ast

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
)

// Format prints a tree in the language's one canonical form. What it prints
// parses to an equal tree, places aside, and prints the same again. A tree built
// by hand must be complete: names valid, no nil expression.
func Format(f *File) string {
	p := &printer{}
	p.header(&f.Header)
	for i := 0; i < len(f.Decls); {
		i += p.decls(f.Decls, i)
	}
	if len(f.End) > 0 {
		p.blank()
		p.comments("", f.End)
	}
	return p.b.String()
}

// FormatText parses and prints the text of a file. The error is a
// source.Diagnostics: a file with faults is not printed.
func FormatText(name, text string) (string, error) {
	f, diagnostics := Parse(source.File{Name: name, Text: text})
	if err := diagnostics.Errors(); err != nil {
		return "", err
	}
	return Format(f), nil
}

const (
	indent   = "  "
	deeper   = "    "
	maxLine  = 100 // characters, where a line can be broken
	maxAlign = 40  // longer heads of relations stand outside their column
)

// printer writes lines. It never writes two blank lines, or one behind {.
type printer struct {
	b      strings.Builder
	opened bool // the last line opened a body: no blank line now
	empty  bool // the last line was blank
}

func (p *printer) line(indent, text, trail string) {
	p.b.WriteString(indent)
	p.b.WriteString(text)
	if trail != "" {
		p.b.WriteString(" " + trail)
	}
	p.b.WriteByte('\n')
	p.opened, p.empty = strings.HasSuffix(text, "{"), false
}

func (p *printer) blank() {
	if !p.opened && !p.empty && p.b.Len() > 0 {
		p.b.WriteByte('\n')
		p.empty = true
	}
}

func (p *printer) comments(indent string, comments []string) {
	for _, c := range comments {
		if c == "" {
			p.blank()
		} else {
			p.line(indent, c, "")
			p.opened = false
		}
	}
}

// lead prints what stands before a node.
func (p *printer) lead(indent string, n *Notes) {
	if n.Blank {
		p.blank()
	}
	p.comments(indent, n.Before)
}

func (p *printer) header(h *Header) {
	p.comments("", h.Before)
	text := "pemba " + strconv.Itoa(max(h.Language, Language))
	for _, name := range h.Refuse {
		text += " refuse " + nameText(name.Text)
	}
	p.line("", text, h.Trail)
	p.blank()
}

// isBlock says whether a declaration takes several lines, with blank lines around.
func isBlock(d Decl) bool {
	switch d := d.(type) {
	case *Type:
		return d.Body != nil && len(d.Body.Members)+len(d.Body.End) > 0 || d.Body != nil && d.Body.Open != ""
	case *Test:
		return true
	case *Condition:
		return !onOneLine(d.Body)
	}
	return false
}

// decls prints the declaration i, and when it is a claim the run of claims that
// it begins. It returns how many it printed.
func (p *printer) decls(decls []Decl, i int) int {
	d := decls[i]
	if i > 0 && (isBlock(d) || isBlock(decls[i-1])) {
		p.blank()
	}
	if _, ok := d.(*Claim); ok {
		return p.claims(decls[i:])
	}
	p.lead("", d.Comments())
	switch d := d.(type) {
	case *Import:
		p.line("", "import "+strconv.Quote(d.Path), d.Trail)
	case *Type:
		p.typ(d)
	case *Condition:
		p.condition(d)
	case *Sealed:
		p.wrapped("", "sealed "+usersetText(d.Userset)+" = ", usersetTexts(d.Subjects), "", d.Trail)
	case *Test:
		p.test(d)
	}
	return 1
}

func (p *printer) typ(t *Type) {
	head := "type " + nameText(t.Name.Text)
	switch t.Kind {
	case Singleton:
		head = "singleton " + objectText(Object{Type: t.Name.Text, ID: t.ID})
	case Extend:
		head = "extend " + head
	}
	switch {
	case t.Body == nil && t.Kind == Ordinary:
		p.line("", head, t.Trail)
	case t.Body == nil || !isBlock(t):
		p.line("", head+" {}", t.Trail)
	default:
		p.line("", head+" {", t.Body.Open)
		p.opened = true
		for i := 0; i < len(t.Body.Members); {
			i += p.members(t.Body.Members, i)
		}
		p.comments(indent, t.Body.End)
		p.empty = false
		p.line("", "}", t.Trail)
	}
}

// fill packs words into as few lines of at most limit characters as it can.
func fill(words []string, limit int) []string {
	var lines []string
	for _, w := range words {
		if n := len(lines); n > 0 && width(strings.TrimRight(lines[n-1]+w, " ")) <= limit {
			lines[n-1] += w
		} else {
			lines = append(lines, w)
		}
	}
	return lines
}

// wrapped prints a list behind a head, over several lines where it is long.
func (p *printer) wrapped(from, head string, list []string, end, trail string) {
	text := head + strings.Join(list, ", ") + end
	if width(from+text) <= maxLine {
		p.line(from, text, trail)
		return
	}
	words := []string{head}
	for i, item := range list {
		if i < len(list)-1 {
			item += ", "
		}
		words = append(words, item)
	}
	lines := fill(words, maxLine-len(from)-len(indent)-len(end))
	for i, l := range lines {
		lead, tail, note := from, "", ""
		if i > 0 {
			lead = from + indent
		}
		if i == len(lines)-1 {
			tail, note = end, trail
		}
		p.line(lead, strings.TrimRight(l, " ")+tail, note)
	}
}

func (p *printer) condition(c *Condition) {
	params := make([]string, len(c.Params))
	for i, param := range c.Params {
		params[i] = nameText(param.Name.Text) + ": " + param.Type
	}
	head := fmt.Sprintf("condition %s(%s) {", nameText(c.Name.Text), strings.Join(params, ", "))
	if onOneLine(c.Body) {
		p.line("", head+" "+c.Body+" }", c.Trail)
		return
	}
	p.line("", head, "")
	for _, l := range bodyLines(c.Body) {
		p.b.WriteString(l + "\n")
	}
	p.opened = false
	p.line("", "}", c.Trail)
}

// onOneLine says whether a CEL expression may share a line with its braces.
func onOneLine(body string) bool {
	return !strings.Contains(body, "\n") && !strings.Contains(body, "//")
}

// bodyLines indents a CEL expression of several lines. With a triple-quoted
// string in it the lines stay as they are, since they may be part of the string.
func bodyLines(body string) []string {
	lines := strings.Split(body, "\n")
	if strings.Contains(body, `"""`) || strings.Contains(body, "'''") {
		lines[0] = indent + lines[0]
		return lines
	}
	least := -1
	for i, l := range lines {
		text := strings.TrimLeft(l, " \t")
		lead := strings.ReplaceAll(l[:len(l)-len(text)], "\t", indent)
		lines[i] = strings.TrimRight(lead+text, " \t\r")
		if n := len(lines[i]) - len(strings.TrimLeft(lines[i], " ")); i > 0 && lines[i] != "" && (least < 0 || n < least) {
			least = n
		}
	}
	for i, l := range lines {
		if i > 0 && l != "" {
			l = l[least:]
		}
		if l != "" {
			lines[i] = indent + l
		}
	}
	return lines
}
