package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/condition/value"
	"github.com/pemba-authz/pemba/schema/source"
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
				Suggestion: source.DidYouMean(name, condition.paramNames())}
		}
		raw, err := d.ReadValue()
		if err != nil {
			return bad(name, "a JSON value", "the context of condition %s: %v", condition.Name, err)
		}
		if err := value.CheckValue(condition.Params[i].Type, raw); err != nil {
			return bad(name, condition.Params[i].Type, "parameter %s of condition %s: %v", name, condition.Name, err)
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
