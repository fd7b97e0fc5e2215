// Package value says which types the parameters of a condition have and which
// JSON values they take. It knows nothing of CEL, so that whatever only admits
// or refuses tuples (apply, above all) need not link an expression language.
//
// Call CheckValue for one value of a tuple's context, ParseType for the text of
// a type, and Type.Decode to turn JSON into Go values.
//
//	type        JSON                                        Go
//	bool        true, false                                 bool
//	int         a whole number, or its digits as a string   int64
//	uint        the same, not negative                      uint64
//	double      a number, or its digits as a string         float64
//	string      a string                                    string
//	bytes       a string in base64 (padded or not)          []byte
//	duration    a string: "1h30m", "1.5s", "-2m"            time.Duration
//	timestamp   a string: RFC 3339, with its zone           time.Time in UTC
//	ipaddress   a string: "10.1.2.3", "2001:db8::1"         netip.Addr
//	list<T>     an array                                    []any
//	map<T>      an object                                   map[string]any
//	any         anything; numbers are doubles               nil, bool, float64, string, []any, map[string]any
//
// Whole numbers are exact over all of their 64 bits; 1.0 and 1e3 are whole. The
// null is a value of no type but any.
package value

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Kind tells types apart.
type Kind uint8

// The kinds of types. The zero value is no type and takes no value.
const (
	Invalid Kind = iota
	Bool
	Int
	Uint
	Double
	String
	Bytes
	Duration
	Timestamp
	IPAddress
	Any
	List
	Map
)

var kindNames = [...]string{
	Invalid: "invalid", Bool: "bool", Int: "int", Uint: "uint", Double: "double", String: "string", Bytes: "bytes",
	Duration: "duration", Timestamp: "timestamp", IPAddress: "ipaddress", Any: "any", List: "list", Map: "map",
}

// String returns the name of the kind in the schema language.
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return kindNames[Invalid]
	}
	return kindNames[k]
}

// MaxTypeDepth is how deep lists and maps may nest in a type.
const MaxTypeDepth = 8

// Type is the type of a parameter.
type Type struct {
	Kind    Kind
	Element *Type // of a List or Map; nil otherwise
}

// String returns the text that ParseType reads: map<list<int>>.
func (t *Type) String() string {
	if t.Element == nil {
		return t.Kind.String()
	}
	return t.Kind.String() + "<" + t.Element.String() + ">"
}

// TypeError says why a text is no type.
type TypeError struct {
	Text       string // the text, whole
	Message    string // what is wrong with it
	Suggestion string // a near miss, or what there is; never empty
}

// Error returns the message with the suggestion.
func (e *TypeError) Error() string { return e.Message + ": " + e.Suggestion }

// ParseType reads the text of a type as the schema language has it: int,
// list<string>, map<any>. The error is a *TypeError.
func ParseType(text string) (*Type, error) { return parseType(text, text, 0) }

func parseType(whole, text string, depth int) (*Type, error) {
	if depth > MaxTypeDepth {
		return nil, &TypeError{Text: whole, Message: "the type is nested too deep",
			Suggestion: fmt.Sprintf("%d lists and maps inside each other are the most", MaxTypeDepth)}
	}
	name, rest, nested := strings.Cut(text, "<")
	kind := kindOf(strings.TrimSpace(name))
	switch {
	case kind == Invalid:
		return nil, &TypeError{Text: whole, Message: fmt.Sprintf("%q is not a type of a parameter", tuple.Clip(name)), Suggestion: suggest(name)}
	case kind != List && kind != Map && nested:
		return nil, &TypeError{Text: whole, Message: fmt.Sprintf("%s takes no type in <>", kind), Suggestion: "only list and map do"}
	case kind != List && kind != Map:
		return &Type{Kind: kind}, nil
	case !nested:
		return nil, &TypeError{Text: whole, Message: fmt.Sprintf("%s needs the type of its elements", kind),
			Suggestion: fmt.Sprintf("write %s<string>, or %s<any>", kind, kind)}
	}
	inner, ok := strings.CutSuffix(strings.TrimSpace(rest), ">")
	if !ok {
		return nil, &TypeError{Text: whole, Message: fmt.Sprintf("the type %q does not end in >", tuple.Clip(whole)),
			Suggestion: fmt.Sprintf("write %s<string>", kind)}
	}
	element, err := parseType(whole, inner, depth+1)
	if err != nil {
		return nil, err
	}
	return &Type{Kind: kind, Element: element}, nil
}

func kindOf(name string) Kind {
	if i := slices.Index(kindNames[1:], name); i >= 0 {
		return Kind(i + 1)
	}
	return Invalid
}

// aliases are the names that other languages give these types.
var aliases = map[string]string{
	"boolean": "bool", "integer": "int", "int64": "int", "long": "int", "uint64": "uint", "float": "double",
	"float64": "double", "number": "double", "text": "string", "time": "timestamp", "datetime": "timestamp",
	"ip": "ipaddress", "ip_address": "ipaddress", "dyn": "any", "object": "map<any>", "dict": "map<any>", "array": "list<any>",
}

func suggest(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if own, ok := aliases[name]; ok {
		return fmt.Sprintf("did you mean %s?", own)
	}
	if near := source.DidYouMean(name, kindNames[1:]); near != "" {
		return near
	}
	return "there are bool, int, uint, double, string, bytes, duration, timestamp, ipaddress, any, list<T> and map<T>"
}
