package server

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// maxFaults is the most faults that one problem lists.
const maxFaults = 50

var (
	timeType    = reflect.TypeFor[time.Time]()
	contextType = reflect.TypeFor[api.Context]()
)

// checkShape compares a well-formed body with the Go type that it is read into
// and lists where they differ: members that are unknown or missing, values of
// another kind. A member without omitzero in its tag is required.
func checkShape(body []byte, out any) api.Faults {
	c := shapeChecker{dec: jsontext.NewDecoder(bytes.NewBuffer(body))}
	c.value(reflect.TypeOf(out).Elem())
	return c.faults
}

type shapeChecker struct {
	dec    *jsontext.Decoder
	faults api.Faults
}

func (c *shapeChecker) fail(pointer jsontext.Pointer, code api.Code, message, suggestion string) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, api.Fault{Code: code, Pointer: string(pointer), Message: message, Suggestion: suggestion})
	}
}

// skip passes over the next value, which is well-formed.
func (c *shapeChecker) skip() jsontext.Value {
	v, err := c.dec.ReadValue()
	if err != nil {
		return nil // the whole body has been read before
	}
	return v
}

func (c *shapeChecker) value(t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == timeType:
		c.text(func(s string) error { _, err := tuple.ParseTime(s); return err })
	case t == contextType:
		c.expect('{', "an object")
	case t.Kind() == reflect.Struct:
		c.object(t)
	case t.Kind() == reflect.Slice:
		c.list(t.Elem())
	case t.Kind() == reflect.String:
		c.text(nil)
	case t.Kind() == reflect.Bool:
		if kind := c.dec.PeekKind(); kind != 't' && kind != 'f' {
			c.expect('t', "true or false")
			return
		}
		c.skip()
	default:
		c.integer(t)
	}
}

// expect reads a value and says whether it is of the kind.
func (c *shapeChecker) expect(kind jsontext.Kind, what string) (jsontext.Value, bool) {
	v := c.skip()
	if v.Kind() == kind {
		return v, true
	}
	suggestion := ""
	if v.Kind() == 'n' {
		suggestion = "leave the member out instead"
	}
	c.fail(c.dec.StackPointer(), api.WrongType, fmt.Sprintf("expected %s, found %s", what, kindName(v.Kind())), suggestion)
	return v, false
}

func (c *shapeChecker) text(valid func(string) error) {
	v, ok := c.expect('"', "a string")
	if !ok || valid == nil {
		return
	}
	text, err := jsontext.AppendUnquote(nil, v)
	if err == nil {
		err = valid(string(text))
	}
	if err != nil {
		c.fail(c.dec.StackPointer(), api.InvalidValue, err.Error(), "")
	}
}

func (c *shapeChecker) integer(t reflect.Type) {
	v, ok := c.expect('0', "a whole number")
	if !ok {
		return
	}
	if _, err := strconv.ParseInt(string(v), 10, t.Bits()); err != nil {
		c.fail(c.dec.StackPointer(), api.WrongType, fmt.Sprintf("expected a whole number, found %s", tuple.Clip(string(v))), "")
	}
}

func (c *shapeChecker) list(element reflect.Type) {
	if c.dec.PeekKind() != '[' {
		c.expect('[', "a list")
		return
	}
	c.token()
	for c.dec.PeekKind() != ']' && c.dec.PeekKind() != 0 {
		c.value(element)
	}
	c.token()
}

func (c *shapeChecker) object(t reflect.Type) {
	if c.dec.PeekKind() != '{' {
		c.expect('{', "an object")
		return
	}
	at := c.dec.StackPointer()
	c.token()
	if c.dec.StackDepth() > 1 {
		at = c.dec.StackPointer()
	}
	members := membersOf(t)
	seen := make(map[string]bool, len(members))
	for c.dec.PeekKind() == '"' {
		name := c.token().String()
		i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		if i < 0 {
			c.fail(c.dec.StackPointer(), api.UnknownMember, fmt.Sprintf("there is no member %q here", tuple.Clip(name)), suggestMember(name, members))
			c.skip()
			continue
		}
		seen[name] = true
		c.value(members[i].typ)
	}
	c.token()
	for _, m := range members {
		if m.required && !seen[m.name] {
			c.fail(at.AppendToken(m.name), api.MissingMember, fmt.Sprintf("the member %q is missing", m.name), "")
		}
	}
}

func (c *shapeChecker) token() jsontext.Token {
	t, err := c.dec.ReadToken()
	if err != nil {
		return jsontext.Null // the whole body has been read before
	}
	return t.Clone()
}

// member is one member that an object may have.
type member struct {
	name     string
	typ      reflect.Type
	required bool
}

// known holds the members of the structs that were asked for: reflect.Type to []member.
var known sync.Map

// membersOf lists the members of a struct of package api, embedded structs
// included. The list is shared.
func membersOf(t reflect.Type) []member {
	if members, ok := known.Load(t); ok {
		return members.([]member)
	}
	members := listMembers(t)
	known.Store(t, members)
	return members
}

func listMembers(t reflect.Type) []member {
	var members []member
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			members = append(members, listMembers(field.Type)...)
		case name == "-" || name == "":
		default:
			members = append(members, member{name: name, typ: field.Type, required: !strings.Contains(options, "omitzero")})
		}
	}
	return members
}

func suggestMember(name string, members []member) string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	if near := source.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	if len(names) == 0 {
		return "the object has no members"
	}
	return "its members are " + strings.Join(names, ", ")
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "nothing"
}
