package spicedb

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Tuples reads SpiceDB's relationships, one a line,
//
//	document:readme#viewer@group:eng#member[on_tuesday:{"day":"friday"}][expiration:2030-01-01T00:00:00Z]
//
// with empty lines and comments (//, #) between them. From a file whose name
// ends in .yaml or .yml it reads the block relationships of a validation file.
//
// Names are given as Import gives them. An error that is a *source.Diagnostic
// tells of one line, or of the file's form, and where it is; the relationships
// that can still be read follow it. Text is read as a stream.
func Tuples(name string, r io.Reader) iter.Seq2[dialect.Placed, error] {
	return func(yield func(dialect.Placed, error) bool) {
		first := 1
		switch strings.ToLower(path.Ext(name)) {
		case ".yaml", ".yml":
			block, line, err := relationshipsOf(name, r)
			if err != nil {
				yield(dialect.Placed{}, err)
				return
			}
			r, first = strings.NewReader(block), line
		}
		readLines(name, r, first, yield)
	}
}

func readLines(name string, r io.Reader, first int, yield func(dialect.Placed, error) bool) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, dialect.MaxTupleBytes)
	at := source.Place{File: name, Line: first - 1, Column: 1}
	for lines.Scan() {
		at.Line++
		text := strings.TrimRight(lines.Text(), " \t\r")
		if at.Line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		trimmed := strings.TrimLeft(text, " \t")
		if trimmed == "" || strings.HasPrefix(trimmed, "//") || strings.HasPrefix(trimmed, "#") {
			continue
		}
		t, err := parseAt(trimmed, at, len(text)-len(trimmed))
		if !yield(t, err) {
			return
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		at.Line++
		yield(dialect.Placed{}, dialect.Fault(at, "the line is longer than %d bytes", dialect.MaxTupleBytes))
	} else if err != nil {
		yield(dialect.Placed{}, fmt.Errorf("read %s: %w", name, err))
	}
}

// parseAt parses a relationship and gives an error its place; before is how many
// bytes of the line stand before it.
func parseAt(text string, at source.Place, before int) (dialect.Placed, error) {
	at.Column = before + 1
	t, err := Parse(text)
	if err == nil {
		return dialect.Placed{Tuple: t, Place: at}, nil
	}
	var syntax *tuple.SyntaxError
	if !errors.As(err, &syntax) {
		return dialect.Placed{}, dialect.Fault(at, "%v", err)
	}
	offset := min(max(syntax.Offset, 0), len(text))
	at.Column = before + utf8.RuneCountInString(text[:offset]) + 1
	return dialect.Placed{}, &source.Diagnostic{Code: "bad_tuple", Place: at, Width: 1, Excerpt: strings.Repeat(" ", before) + tuple.Clip(text), Message: syntax.Reason}
}

// Parse reads one relationship. An error is a *tuple.SyntaxError with its offset.
func Parse(text string) (tuple.Tuple, error) {
	if !utf8.ValidString(text) {
		return tuple.Tuple{}, &tuple.SyntaxError{Text: strings.ToValidUTF8(text, "?"), Reason: "the relationship is not valid UTF-8"}
	}
	key, traits := text, ""
	if i := strings.IndexByte(text, '['); i >= 0 {
		key, traits = text[:i], text[i:]
	}
	key = strings.TrimSuffix(strings.TrimRight(key, " \t"), "#...")
	k, err := tuple.ParseKey(key)
	if err != nil {
		return tuple.Tuple{}, err
	}
	t := tuple.Tuple{Key: k}
	p := traitParser{text: text, offset: len(text) - len(traits)}
	for p.offset < len(text) {
		if err := p.trait(&t); err != nil {
			return tuple.Tuple{}, err
		}
	}
	return t, nil
}

// traitParser reads what stands in brackets behind a relationship.
type traitParser struct {
	text   string
	offset int
}

func (p *traitParser) fail(offset int, format string, args ...any) error {
	return &tuple.SyntaxError{Text: p.text, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// trait reads [caveat], [caveat:{…}] or [expiration:time].
func (p *traitParser) trait(t *tuple.Tuple) error {
	rest := p.text[p.offset:]
	if rest[0] != '[' {
		return p.fail(p.offset, "expected [caveat:{…}] or [expiration:time], or the end of the line")
	}
	stop := strings.IndexAny(rest, ":]")
	if stop < 0 {
		return p.fail(len(p.text), "expected ]")
	}
	name := rest[1:stop]
	switch {
	case name == "expiration" && rest[stop] == ':':
		return p.expiration(t, stop)
	case t.Condition.Name != "":
		return p.fail(p.offset, "a relationship has one caveat")
	case !t.Expires.IsZero():
		return p.fail(p.offset, "the caveat stands before the expiration")
	}
	t.Condition.Name = CaveatName(name)
	if !typeName.MatchString(name) {
		return p.fail(p.offset+1, "%q is no name of a caveat", tuple.Clip(name))
	}
	if rest[stop] == ']' {
		p.offset += stop + 1
		return nil
	}
	dec := jsontext.NewDecoder(strings.NewReader(rest[stop+1:]))
	value, err := dec.ReadValue()
	if err != nil {
		return p.fail(p.offset+stop+1, "the context of caveat %s: %s", name, strings.TrimPrefix(err.Error(), "jsontext: "))
	}
	if t.Condition.Context, err = tuple.CanonicalContext(value); err != nil {
		return p.fail(p.offset+stop+1, "the context of caveat %s: %v", name, err)
	}
	p.offset += stop + 1 + int(dec.InputOffset())
	if !strings.HasPrefix(p.text[p.offset:], "]") {
		return p.fail(p.offset, "expected ] behind the context")
	}
	p.offset++
	return nil
}

func (p *traitParser) expiration(t *tuple.Tuple, stop int) error {
	rest := p.text[p.offset:]
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return p.fail(len(p.text), "expected ]")
	}
	if !t.Expires.IsZero() {
		return p.fail(p.offset, "a relationship has one expiration")
	}
	var err error
	if t.Expires, err = tuple.ParseTime(rest[stop+1 : end]); err != nil {
		return p.fail(p.offset+stop+1, "%v", err)
	}
	p.offset += end + 1
	return nil
}

// relationshipsOf returns the block relationships of a validation file and the
// line that it begins in.
func relationshipsOf(name string, r io.Reader) (string, int, error) {
	text, err := dialect.ReadYAML(name, r)
	if err != nil {
		return "", 0, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return "", 0, dialect.YAMLFault(name, err)
	}
	at := source.Place{File: name, Line: 1, Column: 1}
	if doc.Kind != yaml.DocumentNode || doc.Content[0].Kind != yaml.MappingNode {
		return "", 0, dialect.Fault(at, "expected a validation file with relationships")
	}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value != "relationships" {
			continue
		}
		at.Line, at.Column = value.Line, value.Column
		if value.Kind != yaml.ScalarNode {
			return "", 0, dialect.Fault(at, "relationships must be a block of text, one relationship a line")
		}
		if value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			at.Line++ // the block begins below its mark
		}
		return value.Value, at.Line, nil
	}
	return "", 0, dialect.Fault(at, "the validation file has no relationships")
}
