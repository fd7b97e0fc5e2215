package condition_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/condition/value"
	"github.com/pemba-authz/pemba/schema/tuple"
)

var now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// params reads "a int, b list<string>".
func params(text string) []condition.Param {
	var list []condition.Param
	for part := range strings.SplitSeq(text, ",") {
		if name, typ, ok := strings.Cut(strings.TrimSpace(part), " "); ok {
			list = append(list, condition.Param{Name: name, Type: typ})
		}
	}
	return list
}

func compile(t testing.TB, declared, body string) *condition.Program {
	t.Helper()
	p, err := condition.Compile("c", params(declared), body)
	if err != nil {
		t.Fatalf("compile %q: %v", body, err)
	}
	return p
}

func request(t testing.TB, text string) *condition.Request {
	t.Helper()
	r, err := condition.NewRequest([]byte(text), now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// eval returns true, false, "missing a,b" or "error CODE".
func eval(p *condition.Program, context tuple.Context, r *condition.Request) string {
	result, err := p.Eval(context, r)
	var failed *condition.EvalError
	switch {
	case errors.As(err, &failed):
		return "error " + failed.Code
	case err != nil:
		return "error of the wrong type: " + err.Error()
	case len(result.Missing) > 0:
		return "missing " + strings.Join(result.Missing, ",")
	}
	return fmt.Sprint(result.Holds)
}

func TestEval(t *testing.T) {
	for _, test := range []struct {
		name, params, body, tuple, request, want string
	}{
		{"bool", "b bool", "b", "", `{"b":true}`, "true"},
		{"bool wrong", "b bool", "b", "", `{"b":"true"}`, "error condition_value"},
		{"int", "x int", "x < 100", "", `{"x":99}`, "true"},
		{"int beyond a double", "x int", "x == 9007199254740993", "", `{"x":9007199254740993}`, "true"},
		{"int one off", "x int", "x == 9007199254740993", "", `{"x":9007199254740992}`, "false"},
		{"int most", "x int", "x == 9223372036854775807", `{"x":9223372036854775807}`, "", "true"},
		{"int from string", "x int", "x == 5", "", `{"x":"5"}`, "true"},
		{"int whole", "x int", "x == 5", "", `{"x":5.0}`, "true"},
		{"int fraction", "x int", "x == 5", "", `{"x":5.5}`, "error condition_value"},
		{"uint", "x uint", "x == 18446744073709551615u", "", `{"x":18446744073709551615}`, "true"},
		{"uint compares with int", "x uint", "x > 3", "", `{"x":4}`, "true"},
		{"double", "x double", "x > 0.5", "", `{"x":0.6}`, "true"},
		{"double compares with int", "x double", "x > 0", "", `{"x":0.6}`, "true"},
		{"double too large", "x double", "x > 0.0", "", `{"x":"1.8e309"}`, "error condition_value"},
		{"string", "s string", "s.startsWith('a') && s.size() == 3", "", `{"s":"aéb"}`, "true"},
		{"string case counts", "s string", "s == 'Ana'", "", `{"s":"ana"}`, "false"},
		{"bytes", "b bytes", "b == b'hi'", "", `{"b":"aGk="}`, "true"},
		{"duration", "d duration", "d > duration('1h')", "", `{"d":"1h30m"}`, "true"},
		{"timestamp", "at timestamp", "at < timestamp('2030-01-01T00:00:00Z')", "", `{"at":"2029-12-31T23:59:59+00:00"}`, "true"},
		{"timestamp and duration", "at timestamp, d duration", "at + d > now()", `{"at":"2026-05-04T11:00:00Z","d":"2h"}`, "", "true"},
		{"timestamp fields are in UTC", "at timestamp", "at.getHours() == 22", "", `{"at":"2026-05-04T00:00:00+02:00"}`, "true"},
		{"list", "l list<string>", "'b' in l && l.size() == 2", "", `{"l":["a","b"]}`, "true"},
		{"list of ints", "l list<int>", "l.exists(x, x > 2)", "", `{"l":[1,2]}`, "false"},
		{"list wrong inside", "l list<int>", "l.size() == 2", "", `{"l":[1,"x"]}`, "error condition_value"},
		{"map", "m map<string>", "m['status'] in ['draft','done']", "", `{"m":{"status":"done"}}`, "true"},
		{"map of any", "m map<any>", "m.foo == 42 && m.bar < 56", "", `{"m":{"foo":42,"bar":-2}}`, "true"},
		{"map lacks a key", "m map<any>", "m.foo == 42", "", `{"m":{}}`, "error condition_evaluation"},
		{"map with has", "m map<any>", "has(m.foo) && m.foo == 42", "", `{"m":{}}`, "false"},
		{"map with optional", "m map<any>", "m[?'foo'].orValue(1) == 1", "", `{"m":{}}`, "true"},
		{"map wrong at run time", "m map<any>", "m.bar < 56", "", `{"m":{"bar":"hello"}}`, "error condition_evaluation"},
		{"nested", "m map<list<int>>", "m.a[1] == 2", "", `{"m":{"a":[1,2]}}`, "true"},
		{"null for a map", "m map<any>", "m.foo == 1", "", `{"m":null}`, "error condition_value"},
		{"null for any", "a any", "a == null", "", `{"a":null}`, "true"},
		{"any", "a any", "a.b[0] == 'x' && a.c == 1.5", "", `{"a":{"b":["x"],"c":1.5}}`, "true"},
		{"any whole number", "a any", "a == 42", "", `{"a":42}`, "true"},
		{"any whole number that a double cannot hold", "a any", "a == 9007199254740993", "", `{"a":9007199254740993}`, "error condition_value"},
		{"ipaddress", "ip ipaddress, cidr string", "ip.in_cidr(cidr)", `{"cidr":"10.0.0.0/8"}`, `{"ip":"10.1.2.3"}`, "true"},
		{"ipaddress outside", "ip ipaddress", "ip.in_cidr('10.0.0.0/8')", "", `{"ip":"11.1.2.3"}`, "false"},
		{"ipaddress as IPv6", "ip ipaddress", "ip.in_cidr('10.0.0.0/8')", "", `{"ip":"::ffff:10.1.2.3"}`, "true"},
		{"ipaddress in a mapped range", "ip ipaddress", "ip.in_cidr('::ffff:10.0.0.0/104')", "", `{"ip":"10.1.2.3"}`, "true"},
		{"ipaddress of the other family", "ip ipaddress", "ip.in_cidr('::/0')", "", `{"ip":"10.1.2.3"}`, "false"},
		{"ipaddress v6", "ip ipaddress", "ip.in_cidr('2001:db8::/32')", "", `{"ip":"2001:DB8::7"}`, "true"},
		{"ipaddress equal", "ip ipaddress", "ip == ipaddress('2001:db8::7')", "", `{"ip":"2001:DB8:0::7"}`, "true"},
		{"range that is none", "ip ipaddress, cidr string", "ip.in_cidr(cidr)", `{"cidr":"10.0.0.0"}`, `{"ip":"10.1.2.3"}`, "error condition_evaluation"},
		{"address that is none", "s string", "ipaddress(s).in_cidr('10.0.0.0/8')", "", `{"s":"10.0"}`, "error condition_evaluation"},
		{"subtree", "a map<any>, b map<any>", "a.isSubtreeOf(b)", `{"a":{"x":{"y":1}}}`, `{"b":{"x":{"y":1,"z":2},"w":3}}`, "true"},
		{"no subtree", "a map<any>, b map<any>", "a.isSubtreeOf(b)", `{"a":{"x":{"y":2}}}`, `{"b":{"x":{"y":1,"z":2}}}`, "false"},
		{"subtree of less", "a map<any>, b map<any>", "a.isSubtreeOf(b)", `{"a":{"x":1}}`, `{"b":{}}`, "false"},
		{"regexp", "s string", "s.matches('^a+$')", "", `{"s":"aaa"}`, "true"},
		{"regexp as a function", "s string, r string", "matches(s, r)", "", `{"s":"aab","r":"b$"}`, "true"},
		{"regexp that is none", "s string, r string", "s.matches(r)", "", `{"s":"aab","r":"("}`, "error condition_evaluation"},
		{"deep value while it counts", "m map<any>, l list<string>", "l.exists(x, l.exists(y, x + y == 'z')) || m == m", "",
			`{"l":["y"],"m":{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}}`, "true"},
		{"now is the instant", "x int", "now() == timestamp('2026-05-04T12:00:00Z') && x == 1", "", `{"x":1}`, "true"},
		{"parameter named like a type", "type string, timestamp int", "type == 'a' && timestamp == 3", "", `{"type":"a","timestamp":3}`, "true"},
		{"leading dot", "x int", ".x == 1", "", `{"x":1}`, "true"},
		{"comment", "x int", "x == 1 // one\n", "", `{"x":1}`, "true"},

		{"the tuple wins", "x int", "x == 1", `{"x":1}`, `{"x":2}`, "true"},
		{"the tuple wins, wrong as it is", "x int", "x == 1", `{"x":"one"}`, `{"x":1}`, "error condition_value"},
		{"unknown keys are ignored", "x int", "x == 1", "", `{"x":1,"y":2}`, "true"},

		{"missing", "x int", "x == 1", "", "", "missing x"},
		{"missing both, sorted", "z int, a int", "z == 1 && a == 1", "", "", "missing a,z"},
		{"missing one of two", "z int, a int", "z == 1 && a == 1", "", `{"z":1}`, "missing a"},
		{"missing and false", "x int", "x == 1 && false", "", "", "false"},
		{"false and missing", "x int, y int", "y == 2 && x == 1", "", `{"y":1}`, "false"},
		{"missing or true", "x int, y int", "x == 1 || y == 1", "", `{"y":1}`, "true"},
		{"missing or false", "x int, y int", "x == 1 || y == 1", "", `{"y":2}`, "missing x"},
		{"missing chooses", "x bool, y int", "x ? y == 1 : y == 2", "", `{"y":1}`, "missing x"},
		{"missing in the branch not taken", "x bool, y int", "x || y == 1", "", `{"x":true}`, "true"},
		{"missing in a list", "x int", "x in [1, 2]", "", "", "missing x"},
		{"missing in a literal", "x int", "[1, x].exists(i, i == 1)", "", "", "missing x"},
		{"missing loop", "l list<int>", "l.all(i, i > 0)", "", "", "missing l"},
		{"missing inside a loop", "l list<int>, x int", "l.all(i, i > x)", "", `{"l":[1]}`, "missing x"},
		{"missing inside a loop that is decided", "l list<int>, x int", "l.all(i, i > 0 && i > x)", "", `{"l":[1,0]}`, "false"},
		{"missing but not read", "l list<int>, x int", "l.all(i, i > x)", "", `{"l":[]}`, "true"},
		{"missing in has", "m map<any>", "has(m.a)", "", "", "missing m"},
		{"missing in a call", "ip ipaddress, cidr string", "ip.in_cidr(cidr)", "", `{"cidr":"10.0.0.0/8"}`, "missing ip"},
		{"a map with parts missing is not partly given", "m map<any>", "m.a == 1 && m.b == 2", "", `{"m":{"a":1}}`, "error condition_evaluation"},

		{"error and false", "x int", "1 / x == 1 && false", "", `{"x":0}`, "false"},
		{"error or true", "x int, y int", "1 / x == 1 || y == 1", "", `{"x":0,"y":1}`, "true"},
		{"error", "x int", "1 / x == 1", "", `{"x":0}`, "error condition_evaluation"},
		{"error, negated, stays", "x int", "!(1 / x == 1)", "", `{"x":0}`, "error condition_evaluation"},
		{"wrong type and false", "x int, y int", "y == 2 && x == 1", "", `{"x":"?","y":1}`, "false"},
		{"wrong type or true", "x int, y int", "x == 1 || y == 1", "", `{"x":"?","y":1}`, "true"},
		{"wrong type never read", "x int, y int", "y == 1 ? true : x == 1", "", `{"x":"?","y":1}`, "true"},
		{"error and missing", "x int, y int", "1 / x == 1 && y == 1", "", `{"x":0}`, "missing y"},
		{"overflow", "x int", "x + 1 > x", "", `{"x":9223372036854775807}`, "error condition_evaluation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := compile(t, test.params, test.body)
			r := request(t, test.request)
			for range 2 { // the second time from what the request keeps
				if got := eval(p, tuple.Context(test.tuple), r); got != test.want {
					_, err := p.Eval(tuple.Context(test.tuple), r)
					t.Fatalf("got %s, want %s (%v)", got, test.want, err)
				}
			}
		})
	}
}

func TestEvalWithoutRequest(t *testing.T) {
	p := compile(t, "x int", "x == 1")
	if got := eval(p, `{"x":1}`, nil); got != "true" {
		t.Errorf("got %s, want true", got)
	}
	if got := eval(p, "", nil); got != "missing x" {
		t.Errorf("got %s, want missing x", got)
	}
	instant := compile(t, "", "now() > timestamp('2020-01-01T00:00:00Z')")
	for _, r := range []*condition.Request{nil, {}} {
		if got := eval(instant, "", r); got != "error condition_evaluation" {
			t.Errorf("now() without an instant: got %s, want an error", got)
		}
	}
	var none *condition.Program
	if _, err := none.Eval("", nil); err == nil {
		t.Error("no program: got an answer, want an error")
	}
	if got := eval(p, `{"x":`, nil); got != "error condition_value" {
		t.Errorf("broken context: got %s, want an error", got)
	}
}

func TestEvalErrorNamesAllButTheValue(t *testing.T) {
	p := compile(t, "limits list<int>", "limits[0] == 1")
	_, err := p.Eval(`{"limits":[1,"s3cret"]}`, nil)
	var failed *condition.EvalError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want an EvalError", err)
	}
	if failed.Condition != "c" || failed.Parameter != "limits" || failed.Kind != "string" || failed.Expected != "int" {
		t.Errorf("got %+v", failed)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows the value: %v", err)
	}
	var mismatch *value.MismatchError
	if !errors.As(err, &mismatch) || mismatch.Path != "[1]" {
		t.Errorf("got %+v, want the place [1]", mismatch)
	}
}

func TestTrace(t *testing.T) {
	p := compile(t, "x int, y int, z int, s string", "x == 1 && now() > timestamp('2020-01-01T00:00:00Z') && (y == 2 || z == 3)")
	r := request(t, `{"y":2,"z":3,"x":9,"s":"not read"}`)
	r.Trace = true
	result, err := p.Eval(`{"x":1}`, r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"x": "1", "y": "2", "now()": `"2026-05-04T12:00:00Z"`}
	if !maps.Equal(result.Values, want) {
		t.Errorf("got %v, want %v", result.Values, want)
	}
	if got := p.Unused(); !slices.Equal(got, []string{"s"}) {
		t.Errorf("unused: got %v, want [s]", got)
	}
}

// TestCost holds evaluation to its bound: whatever the values, it ends at once.
func TestCost(t *testing.T) {
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", 20_000), ",") + "]"
	long := strings.Repeat("a", 60_000)
	for _, test := range []struct{ name, params, body, request string }{
		{"nested loops", "l list<int>", "l.all(x, l.exists(y, x + y < 0) == false)", `{"l":` + numbers + `}`},
		{"string that grows", "s string", strings.Repeat("(", 60) + "s" + strings.Repeat("+s)", 60) + " == ''", `{"s":"` + long + `"}`},
		{"many comparisons of large values", "m any, n any", strings.Repeat("m == n && ", 300) + "true", `{"m":` + numbers[:30_000] + `],"n":` + numbers[:30_000] + `]}`},
		{"regexp on a long string", "s string, r string", strings.Repeat("!s.matches(r) && ", 300) + "true", `{"s":"` + long[:30_000] + `","r":"(a?){100}b"}`},
		{"many patterns", "s string, l list<string>", "l.exists(r, s.matches(r))", manyPatterns()},
		{"large regexp", "s string, r string", "s.matches(r)", `{"s":"a","r":"((a{100}){100}){9}"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if len(test.request) > condition.MaxRequestBytes {
				t.Fatalf("the context of the test is too long: %d", len(test.request))
			}
			p, err := condition.Compile("c", params(test.params), test.body)
			if err != nil {
				var refused *condition.CompileError
				if !errors.As(err, &refused) || refused.Faults[0].Code != condition.CodeTooCost {
					t.Fatal(err)
				}
				return
			}
			got := eval(p, "", request(t, test.request))
			if got != "error condition_too_costly" && got != "error condition_evaluation" {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

// manyPatterns is a context with as many different regular expressions as fit.
func manyPatterns() string {
	list := make([]string, 3500)
	for i := range list {
		list[i] = fmt.Sprintf(`"(a?){300}%d"`, i)
	}
	return `{"s":"b","l":[` + strings.Join(list, ",") + `]}`
}

func TestNewRequest(t *testing.T) {
	for _, text := range []string{"", " ", "null", "{}", ` {"a":1} `, `{"a":{"a":[]}}`} {
		if _, err := condition.NewRequest([]byte(text), now); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	deep := `{"a":` + strings.Repeat("[", tuple.MaxContextDepth) + strings.Repeat("]", tuple.MaxContextDepth) + "}"
	for _, text := range []string{"[]", "1", `"a"`, "{", `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{"a":1}x`, `{"a":1}{}`, "{\"a\":\"\xff\"}",
		`{"a":"\ud800"}`, `{a:1}`, deep, `{"a":"` + strings.Repeat("x", condition.MaxRequestBytes) + `"}`, strings.Repeat(`{"a":`, 5000)} {
		if r, err := condition.NewRequest([]byte(text), now); err == nil {
			t.Errorf("%.40q: got %v, want an error", text, r.Values)
		}
	}
}

func TestRequestIsShared(t *testing.T) {
	p := compile(t, "x int, y int", "x == y")
	r := request(t, `{"y":7}`)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				want := fmt.Sprint(i%10 == 7)
				if got := eval(p, tuple.Context(fmt.Sprintf(`{"x":%d}`, i%10)), r); got != want {
					t.Errorf("x = %d: got %s, want %s", i%10, got, want)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkEval(b *testing.B) {
	for _, bench := range []struct{ name, params, body, request string }{
		{"compare", "x int", "x < 100", `{"x":5}`},
		{"cidr", "ip ipaddress, cidr string", "ip.in_cidr(cidr)", `{"ip":"10.1.2.3","cidr":"10.0.0.0/8"}`},
		{"in list", "s string, l list<string>", "s in l", `{"s":"c","l":["a","b","c"]}`},
		{"missing", "x int, y int", "x < 100 && y < 100", `{"x":5}`},
	} {
		p := compile(b, bench.params, bench.body)
		b.Run(bench.name+"/same request", func(b *testing.B) {
			r := request(b, bench.request)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval("", r); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/new request", func(b *testing.B) {
			values := request(b, bench.request).Values
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval("", &condition.Request{Values: values, Now: now}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(bench.name+"/tuple context", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(tuple.Context(bench.request), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
