package condition

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// maxFaults bounds what is reported of one expression: a broken one can give an
// error per character.
const maxFaults = 20

// translate turns CEL's errors into faults in the words of the schema language.
func (c *compiler) translate(errs []*cel.Error) {
	seen := map[Fault]bool{}
	for _, e := range errs {
		f := Fault{
			Line:   max(e.Location.Line(), 1),
			Column: max(e.Location.Column()+1, 1),
		}
		f.Code, f.Message, f.Suggestion = c.words(e.Message)
		if seen[f] {
			continue
		}
		seen[f] = true
		if c.fail(f); len(c.faults) >= maxFaults {
			return
		}
	}
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	overload   = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	field      = regexp.MustCompile(`^undefined field '([^']*)'`)
	invalid    = regexp.MustCompile(`^invalid (timestamp|duration) argument`)
)

func (c *compiler) words(message string) (code, text, suggestion string) {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		name := strings.TrimPrefix(m[1], ".")
		if name == "now" {
			return CodeName, "there is no parameter now", "did you mean now()?"
		}
		return CodeName, fmt.Sprintf("there is no parameter or function %q", name), c.nearest(name)
	}
	if m := overload.FindStringSubmatch(message); m != nil {
		name := m[1]
		if symbol, ok := operators.FindReverse(name); ok && symbol != "" {
			name = symbol
		}
		return CodeType, fmt.Sprintf("%s does not take %s", name, m[2]), "convert one side, with int(), string(), double(), timestamp() and the like"
	}
	if m := field.FindStringSubmatch(message); m != nil {
		return CodeName, fmt.Sprintf("there is no field %q", m[1]), ""
	}
	if m := invalid.FindStringSubmatch(message); m != nil {
		if m[1] == "timestamp" {
			return CodeType, "this is not a timestamp", `write it as RFC 3339 has it: "2030-01-01T00:00:00Z"`
		}
		return CodeType, "this is not a duration", `write it like "1h30m"`
	}
	switch {
	case strings.HasPrefix(message, "Syntax error: "):
		text = strings.TrimPrefix(message, "Syntax error: ")
		text, _, _ = strings.Cut(text, " expecting {")
		text = strings.ReplaceAll(text, "'<EOF>'", "the end")
		text = strings.ReplaceAll(text, "<EOF>", "the end")
		return CodeSyntax, "this is not CEL: " + tuple.Clip(text), ""
	case strings.HasPrefix(message, "reserved identifier"), strings.HasPrefix(message, "invalid "), strings.Contains(message, "macro"), strings.Contains(message, "simple name"):
		return CodeSyntax, tuple.Clip(message), ""
	case strings.Contains(message, "recursion"):
		return CodeTooLarge, fmt.Sprintf("the expression nests too deep: %d is the most", MaxDepth), "split it into several conditions"
	case strings.Contains(message, "node count"):
		return CodeTooLarge, fmt.Sprintf("the expression has too many parts: %d are the most", MaxNodes), "split it into several conditions"
	case strings.Contains(message, "exceeds limit"), strings.Contains(message, "limit exceeded"):
		return CodeTooLarge, tuple.Clip(message), ""
	}
	return CodeType, tuple.Clip(message), ""
}

// functions are those that a misspelt name is compared with.
var functions = strings.Fields(`now ipaddress in_cidr isSubtreeOf matches startsWith endsWith contains size timestamp duration
	exists all exists_one filter map has getHours getMinutes getDayOfWeek getFullYear getMonth getDate int uint double string bytes bool`)

// nearest suggests the parameter or function that a name is closest to.
func (c *compiler) nearest(name string) string {
	var params []string
	for _, param := range c.program.Params {
		params = append(params, param.Name)
	}
	if near := source.DidYouMean(name, params); near != "" {
		return near
	}
	if near := source.Nearest(name, functions); near != "" {
		return fmt.Sprintf("did you mean %s()?", near)
	}
	if len(params) == 0 {
		return "the condition has no parameters"
	}
	return tuple.Clip("the parameters are " + strings.Join(params, ", "))
}
