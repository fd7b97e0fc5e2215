package schema

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// context checks the tuple's part of the context against the parameters of its
// condition: every key is one, and every value has its type. It knows nothing
// of CEL, since apply calls it.
func (x *Admitter) context(t tuple.Tuple) *Refusal {
	if t.Condition.Context == "" {
		return nil
	}
	condition := x.conditions[t.Condition.Name]
	if condition == nil { // a context without a condition
		return &Refusal{Code: CodeContextUnknownKey, Tuple: t, Field: "context", Thing: string(t.Condition.Context),
			Message: "the tuple has a context and no condition that could read it"}
	}
	d := jsontext.NewDecoder(strings.NewReader(string(t.Condition.Context)))
	bad := func(thing, expected, format string, args ...any) *Refusal {
		return &Refusal{Code: CodeContextType, Tuple: t, Field: "context", Thing: thing,
			Message: fmt.Sprintf(format, args...), Expected: expected}
	}
	if open, err := d.ReadToken(); err != nil || open.Kind() != '{' {
		return bad("", "a JSON object", "the context of condition %s is not a JSON object", condition.Name)
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return bad("", "a JSON object", "the context of condition %s: %v", condition.Name, err)
		}
		name := key.String()
		i := slices.IndexFunc(condition.Params, func(p AdmissionParam) bool { return p.Name == name })
		if i < 0 {
			return &Refusal{Code: CodeContextUnknownKey, Tuple: t, Field: "context", Thing: name,
				Message:    fmt.Sprintf("condition %s has no parameter %q", condition.Name, name),
				Suggestion: didYouMean(name, condition.paramNames())}
		}
		value, err := d.ReadValue()
		if err != nil {
			return bad(name, "a JSON value", "the context of condition %s: %v", condition.Name, err)
		}
		if !hasType(value, condition.Params[i].Type) {
			return bad(name, condition.Params[i].Type, "parameter %s of condition %s is of type %s, and %s is not",
				name, condition.Name, condition.Params[i].Type, clipValue(value))
		}
	}
	if end, err := d.ReadToken(); err != nil || end.Kind() != '}' {
		return bad("", "a JSON object", "the context of condition %s is not a JSON object", condition.Name)
	}
	return nil
}

func (c *AdmissionCondition) paramNames() []string {
	names := make([]string, len(c.Params))
	for i, p := range c.Params {
		names[i] = p.Name
	}
	return names
}

func clipValue(v jsontext.Value) string {
	if len(v) <= 80 {
		return string(v)
	}
	return strings.ToValidUTF8(string(v[:80]), "") + "…"
}

// hasType says whether a JSON value can be read as a value of a parameter type.
// Numbers may come as strings too, as JSON readers elsewhere lose large ones.
func hasType(v jsontext.Value, typ string) bool {
	if element, ok := element(typ, "list<"); ok {
		return v.Kind() == '[' && allHaveType(v, element, false)
	}
	if element, ok := element(typ, "map<"); ok {
		return v.Kind() == '{' && allHaveType(v, element, true)
	}
	if typ == "any" {
		return true
	}
	if typ == "bool" {
		return v.Kind() == 't' || v.Kind() == 'f'
	}
	text := string(v)
	switch v.Kind() {
	case '"':
		unquoted, err := jsontext.AppendUnquote(nil, v)
		if err != nil {
			return false
		}
		text = string(unquoted)
	case '0':
		if typ != "int" && typ != "uint" && typ != "double" {
			return false
		}
	default:
		return false
	}
	return reads(text, typ)
}

// reads says whether the text of a string or number is a value of a scalar type.
func reads(text, typ string) bool {
	var err error
	switch typ {
	case "string":
		return true
	case "int":
		if _, err = strconv.ParseInt(text, 10, 64); err != nil {
			return isWhole(text, -1<<63, 1<<63)
		}
	case "uint":
		if _, err = strconv.ParseUint(text, 10, 64); err != nil {
			return isWhole(text, 0, 1<<64)
		}
	case "double":
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		return err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	case "bytes":
		_, err = base64.StdEncoding.DecodeString(text)
	case "duration":
		_, err = time.ParseDuration(text)
	case "timestamp":
		_, err = time.Parse(time.RFC3339Nano, text)
	case "ipaddress":
		_, err = netip.ParseAddr(text)
	default:
		return false
	}
	return err == nil
}

// isWhole says whether text is a number like 1e3 or 2.0 that is whole and in [low, high).
func isWhole(text string, low, high float64) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && f == math.Trunc(f) && f >= low && f < high && strings.ContainsAny(text, ".eE")
}

func element(typ, prefix string) (string, bool) {
	inner, ok := strings.CutPrefix(typ, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(inner, ">")
}

func allHaveType(v jsontext.Value, typ string, keyed bool) bool {
	d := jsontext.NewDecoder(strings.NewReader(string(v)))
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() != ']' && d.PeekKind() != '}' {
		if keyed {
			if _, err := d.ReadToken(); err != nil {
				return false
			}
		}
		element, err := d.ReadValue()
		if err != nil || !hasType(element, typ) {
			return false
		}
	}
	return true
}
