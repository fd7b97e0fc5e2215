package condition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/operators"
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
		return CodeSyntax, "this is not CEL: " + clip(text), ""
	case strings.HasPrefix(message, "reserved identifier"), strings.HasPrefix(message, "invalid "), strings.Contains(message, "macro"), strings.Contains(message, "simple name"):
		return CodeSyntax, clip(message), ""
	case strings.Contains(message, "recursion"):
		return CodeTooLarge, fmt.Sprintf("the expression nests too deep: %d is the most", MaxDepth), "split it into several conditions"
	case strings.Contains(message, "node count"):
		return CodeTooLarge, fmt.Sprintf("the expression has too many parts: %d are the most", MaxNodes), "split it into several conditions"
	case strings.Contains(message, "exceeds limit"), strings.Contains(message, "limit exceeded"):
		return CodeTooLarge, clip(message), ""
	}
	return CodeType, clip(message), ""
}

// nearest suggests the parameter or function that a name is closest to.
func (c *compiler) nearest(name string) string {
	candidates := []string{"now()", "ipaddress()", "in_cidr()", "isSubtreeOf()", "matches()", "startsWith()", "endsWith()",
		"contains()", "size()", "timestamp()", "duration()", "exists()", "all()", "exists_one()", "filter()", "map()", "has()",
		"getHours()", "getMinutes()", "getDayOfWeek()", "getFullYear()", "getMonth()", "getDate()", "int()", "uint()", "double()",
		"string()", "bytes()", "bool()"}
	best, distance := "", max(2, len(name)/3)+1
	for _, param := range c.program.Params {
		candidates = append(candidates, param.Name)
	}
	slices.Reverse(candidates) // parameters first
	for _, candidate := range candidates {
		if d := editDistance(strings.ToLower(name), strings.ToLower(strings.TrimSuffix(candidate, "()"))); d < distance {
			best, distance = candidate, d
		}
	}
	if best != "" && distance < len(name) {
		return fmt.Sprintf("did you mean %s?", best)
	}
	if len(c.program.Params) == 0 {
		return "the condition has no parameters"
	}
	var names []string
	for _, param := range c.program.Params {
		names = append(names, param.Name)
	}
	return clip("the parameters are " + strings.Join(names, ", "))
}

// editDistance counts the letters to change, add, drop or swap between two short
// names; long ones are as far apart as can be.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
