package condition

import (
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
)

// TestBoundedIsSound: what is taken for bounded whatever the context costs no
// more than MaxCost over the largest contexts, so that not counting is safe.
func TestBoundedIsSound(t *testing.T) {
	const half = largestContext / 2
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", half/4), ",") + "]"
	nested := strings.Repeat(`{"k":[`, 12) + numbers + strings.Repeat("]}", 12)
	values := map[string]string{
		"i": "7", "s": `"` + strings.Repeat("a", half) + `"`, "t": `"` + strings.Repeat("a", half-1) + `b"`,
		"l": numbers, "n": `["` + strings.Repeat("a", half) + `"]`, "m": `{"k":` + nested + `}`, "a": nested, "b": numbers, "ip": `"10.0.0.1"`,
	}
	var params []Param
	for name, typ := range map[string]string{"i": "int", "s": "string", "t": "string", "l": "list<int>", "n": "list<string>",
		"m": "map<any>", "a": "any", "b": "any", "ip": "ipaddress"} {
		params = append(params, Param{name, typ})
	}
	bodies := []string{"i < 3", "s == t", "s.startsWith(t) || s.contains('ab')", "i in l", "s in n", "l == l", "a == b", "a == a", "m == m", "m.k == a",
		"l.all(x, x > 0)", "l.all(x, x in l)", "n.exists(x, x == s)", "a.k.all(x, x == a)", "m.isSubtreeOf(m)", "has(m.k) && m.k == b", "ip.in_cidr(s)",
		"size(s) > 3 && size(l) > 3", "s + t == t + s", "l + l == l", "s.matches('^a+b$')", "s.matches('a')", "i == 1 ? s == t : t == s", "[s, t].exists(x, x == s)",
		"{'k': s}['k'] == t", "m[?'k'].orValue(1) == a", "string(i) == s", "b == [1, 2]", "timestamp(s) > now()", "b.exists(x, x == 3)", "i > 1 && i < 9 && i != 4"}
	uncounted := 0
	for _, body := range bodies {
		c := compiler{program: &Program{Name: "c", Params: params, Source: body}}
		c.params()
		base, err := environment()
		if err != nil {
			t.Fatal(err)
		}
		options := append(c.vars, (&patterns{compiled: map[string]*pattern{}}).options()...)
		env, err := base.Extend(append(options, cel.CostSizingStrategy(sizing))...)
		if err != nil {
			t.Fatal(err)
		}
		checked, issues := env.Compile(body)
		if issues.Err() != nil {
			t.Fatalf("%s: %v", body, issues.Err())
		}
		if !bounded(env, checked) {
			continue
		}
		uncounted++
		program, err := env.Program(checked, cel.CostTracking(nil))
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]any{}
		for i, param := range params {
			v, err := c.program.types[i].Decode([]byte(values[param.Name]))
			if err != nil {
				t.Fatalf("%s: %v", param.Name, err)
			}
			given[param.Name] = celValue(v)
		}
		given[instant] = celValue(nil)
		_, details, err := program.Eval(given)
		if details == nil || details.ActualCost() == nil {
			t.Fatalf("%s: no cost (%v)", body, err)
		}
		if got := *details.ActualCost(); got > MaxCost {
			t.Errorf("%s is taken for bounded and costs %d", body, got)
		}
	}
	t.Logf("%d of %d expressions are not counted", uncounted, len(bodies))
	if uncounted == 0 || uncounted == len(bodies) {
		t.Errorf("%d of %d expressions are taken for bounded", uncounted, len(bodies))
	}
}
