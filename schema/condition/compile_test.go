package condition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func TestCompileFaults(t *testing.T) {
	for _, test := range []struct {
		name, params, body string
		want               []string // code line:column message: suggestion
	}{
		{"unknown name", "country string", "contry == 'ch'",
			[]string{`condition_name 1:1 there is no parameter or function "contry": did you mean country?`}},
		{"all at once", "x int, s string", "x\n  < yy &&\ns == 3", []string{
			`condition_name 2:5 there is no parameter or function "yy": the parameters are x, s`,
			`condition_type 3:3 == does not take (string, int): convert one side, with int(), string(), double(), timestamp() and the like`}},
		{"column in characters", "x int", "'éé' == '' || y == 1",
			[]string{`condition_name 1:15 there is no parameter or function "y": the parameters are x`}},
		{"unknown method", "s string", "s.startWith('a')",
			[]string{`condition_name 1:12 there is no parameter or function "startWith": did you mean startsWith()?`}},
		{"now without call", "", "now > timestamp('2030-01-01T00:00:00Z')",
			[]string{"condition_name 1:1 there is no parameter now: did you mean now()?"}},
		{"not bool", "x int", "x + 1", []string{"condition_type 1:1 the expression is a int, not a bool: compare it with something, so that it is true or false"}},
		{"known only at run time", "m map<any>", "m.flag", []string{"condition_type 1:1 the expression is a dyn, not a bool: its type is known only when it is evaluated: compare it, with == true"}},
		{"empty", "", " ", []string{"condition_syntax 1:1 the expression is empty: write a CEL expression that is true or false"}},
		{"ends early", "x int", "x == ", []string{"condition_syntax 1:6 this is not CEL: mismatched input the end"}},
		{"assignment", "x int", "x = 1", []string{"condition_syntax 1:3 this is not CEL: token recognition error at: '= '", "condition_syntax 1:5 this is not CEL: extraneous input '1' expecting the end"}},
		{"hidden instant", "", "@now == @now", []string{"condition_syntax 1:1 this is not CEL: token recognition error at: '@'", "condition_syntax 1:9 this is not CEL: token recognition error at: '@'"}},
		{"regexp", "s string", "s.matches('(')", []string{"condition_type 1:11 this is not a regular expression: CEL's are those of RE2, without look-around and back references"}},
		{"timestamp", "", "now() > timestamp('tomorrow')", []string{`condition_type 1:19 this is not a timestamp: write it as RFC 3339 has it: "2030-01-01T00:00:00Z"`}},
		{"duration", "d duration", "d > duration('1 h')", []string{`condition_type 1:14 this is not a duration: write it like "1h30m"`}},
		{"parameter type", "x integer", "x == 1", []string{`condition_parameter x "integer" is not a type of a parameter: did you mean int?`}},
		{"parameter name", "user-ip string", "true", []string{"condition_parameter user-ip a parameter's name has letters, digits and '_' only, and begins with no digit, for CEL reads it: rename the parameter"}},
		{"reserved name", "namespace string", "true", []string{"condition_parameter namespace namespace is a reserved word of CEL: rename the parameter"}},
		{"twice", "x int, x string", "true", []string{"condition_parameter x the parameter stands twice: rename or remove one"}},
		{"too long", "", strings.Repeat("true && ", 2000) + "true", []string{"condition_too_large the expression has 16004 bytes, 8192 are the most: split it into several conditions"}},
		{"too deep", "", strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500), []string{"condition_too_large 1:1 the expression nests too deep: 64 is the most: split it into several conditions"}},
		{"three loops", "l list<int>", "l.all(x, l.all(y, l.all(z, x + y == z)))", []string{"condition_too_costly 1:24 loops nest too deep: 2 all(), exists(), map(), filter() inside each other are the most"}},
		{"two loops over long strings", "l list<string>", "l.all(x, l.all(y, x + y != y + x && x.matches(y)))", []string{"condition_too_costly 1:1 the expression could take too long: over lists of 64 elements its cost is more than 100000: nest fewer loops, or prepare the values before they go into the context"}},
		{"large regexp", "s string", "s.matches('((a?b?){100}){9}')", []string{"condition_too_large 1:11 the regular expression is too large: it takes 6329 instructions, and all in a condition 2000 at most"}},
		{"several large regexps", "s string", "s.matches('(ab){200}') || s.matches('(cd){190}') || s.matches('(ef){20}')", []string{"condition_too_large 1:63 the regular expression is too large: it takes 102 instructions, and all in a condition 2000 at most"}},
		{"regexp of many repetitions", "s string", "s.matches('" + strings.Repeat("a{1000}", 900) + "')", nil},
		{"nested loops, deep", "l list<int>", strings.Repeat("l.map(a,", 60) + "l" + strings.Repeat(")", 60) + " == []", nil},
		{"huge regexp", "s string", "s.matches('((a{100}){10}){10}')", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := condition.Compile("c", params(test.params), test.body)
			var failed *condition.CompileError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want a CompileError", err)
			}
			if test.want == nil {
				return
			}
			got := make([]string, len(failed.Faults))
			for i, f := range failed.Faults {
				got[i] = f.Code + " "
				if f.Param != "" {
					got[i] += f.Param + " "
				}
				if f.Line > 0 {
					got[i] += fmt.Sprintf("%d:%d ", f.Line, f.Column)
				}
				got[i] += f.Message
				if f.Suggestion != "" {
					got[i] += ": " + f.Suggestion
				}
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestCompileTakes(t *testing.T) {
	for _, test := range []struct{ params, body string }{
		{"roles list<string>, wanted list<string>", "wanted.exists(w, w in roles)"},
		{"roles list<string>, wanted list<string>", "wanted.all(w, roles.exists(r, r == w))"},
		{"m map<list<string>>", "m.all(k, m[k].size() < 10)"},
		{"s string", "s.matches('^[a-z]+@example[.]com$')"},
		{"x int", strings.Repeat("x == 1 || ", 400) + "false"},
		{"a any", "type(a) == int || a == 'x'"},
	} {
		if _, err := condition.Compile("c", params(test.params), test.body); err != nil {
			t.Errorf("%.60s: %v", test.body, err)
		}
	}
	var many []condition.Param
	for i := range condition.MaxParams + 1 {
		many = append(many, condition.Param{Name: fmt.Sprintf("p%d", i), Type: "int"})
	}
	if _, err := condition.Compile("c", many, "p0 == 1"); err == nil {
		t.Error("too many parameters: got no error")
	}
}

// FuzzCompile: no expression and no context panics, and an answer is the same
// when it is asked for again.
func FuzzCompile(f *testing.F) {
	for _, body := range []string{"x < 100", "ip.in_cidr(s)", "m.foo == 42 && m.?bar.orValue(3) < 56", "l.exists(i, i == s)", "now() + d > at",
		"a.isSubtreeOf(m)", "has(m.a) ? x == 1 : b", "[x, 2].map(i, i + 1).size() == 2", "s.matches('a+') || 1/x == 1", "{'a': x}.a == 1"} {
		f.Add(body, `{"x":1,"s":"a","ip":"10.0.0.1"}`, `{"x":0,"m":{"foo":42},"l":["a"],"d":"1h","at":"2026-01-01T00:00:00Z","b":true}`)
	}
	declared := params("x int, s string, ip ipaddress, m map<any>, l list<string>, d duration, at timestamp, b bool, a any")
	f.Fuzz(func(t *testing.T, body, context, requestText string) {
		p, err := condition.Compile("c", declared, body)
		if err != nil {
			var failed *condition.CompileError
			if !errors.As(err, &failed) || len(failed.Faults) == 0 {
				t.Fatalf("got %v, want a CompileError with faults", err)
			}
			return
		}
		r, err := condition.NewRequest([]byte(requestText), now)
		if err != nil {
			return
		}
		first := eval(p, tuple.Context(context), r)
		if strings.HasPrefix(first, "error of the wrong type") {
			t.Fatal(first)
		}
		again, err := condition.NewRequest([]byte(requestText), now)
		if err != nil {
			t.Fatal(err)
		}
		again.Trace = true
		if second := eval(p, tuple.Context(context), again); second != first {
			t.Fatalf("first %s, then %s", first, second)
		}
	})
}
