package openfga

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// node is a JSON value with its place: a model in JSON is reported on line by
// line, like one in the DSL.
type node struct {
	kind    jsontext.Kind
	text    string // of a string
	members []member
	items   []*node
	place   source.Place
}

type member struct {
	name  name
	value *node
}

// field returns the first member with one of the names, or nil. A null is as good
// as absent.
func (n *node) field(names ...string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if slices.Contains(names, m.name.Text) && m.value.kind != 'n' {
			return m.value
		}
	}
	return nil
}

// str returns a string as a name with its place; "" when n is nil or no string.
func (n *node) str() name {
	if n == nil || n.kind != '"' {
		return name{}
	}
	return name{Text: n.text, Place: n.place}
}

// readJSON reads one JSON value, strictly: no duplicate names, valid UTF-8,
// nothing behind it, bounded depth.
func readJSON(f source.File, report *dialect.Reporter) *node {
	r := &jsonReader{text: f.Text, file: f.Name, line: 1,
		dec: jsontext.NewDecoder(strings.NewReader(f.Text))}
	n, err := r.value(0)
	if err == nil {
		if _, err = r.dec.ReadToken(); errors.Is(err, io.EOF) {
			return n
		}
		if err == nil {
			err = errors.New("text behind the model")
		}
	}
	report.Refuse("bad_json", r.placeAt(int(r.dec.InputOffset())), 1, "the JSON cannot be read: "+reason(err), "")
	return nil
}

// reason returns the message of a JSON error without the package's name.
func reason(err error) string { return strings.TrimPrefix(err.Error(), "jsontext: ") }

type jsonReader struct {
	dec     *jsontext.Decoder
	text    string
	file    string
	line    int
	start   int // offset of the line's first byte
	column  int
	counted int
}

// placeAt returns the place of an offset; offsets only grow, one before the last
// is taken for it.
func (r *jsonReader) placeAt(offset int) source.Place {
	offset = min(max(offset, r.counted), len(r.text))
	for i := r.counted; i < offset; i++ {
		if r.text[i] == '\n' {
			r.line++
			r.start, r.column = i+1, 0
		}
	}
	r.column += utf8.RuneCountInString(r.text[max(r.counted, r.start):offset])
	r.counted = offset
	return source.Place{File: r.file, Line: r.line, Column: r.column + 1}
}

// token reads the next token with the place that it begins at.
func (r *jsonReader) token() (jsontext.Token, source.Place, error) {
	r.dec.PeekKind()
	offset := int(r.dec.InputOffset())
	for offset < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[offset]) >= 0 {
		offset++
	}
	at := r.placeAt(offset)
	t, err := r.dec.ReadToken()
	return t, at, err
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > dialect.MaxDepth {
		return nil, fmt.Errorf("nested deeper than %d", dialect.MaxDepth)
	}
	t, at, err := r.token()
	if err != nil {
		return nil, err
	}
	n := &node{kind: t.Kind(), place: at}
	switch n.kind {
	case '"', '0':
		n.text = t.String()
	case '[':
		for r.dec.PeekKind() != ']' {
			item, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		_, _, err = r.token()
	case '{':
		for r.dec.PeekKind() != '}' {
			key, at, err := r.token()
			if err != nil {
				return nil, err
			}
			k := name{Text: key.String(), Place: at}
			value, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, member{k, value})
		}
		_, _, err = r.token()
	}
	return n, err
}
