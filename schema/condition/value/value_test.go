package value_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/schema/condition/value"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		typ, json string
		want      any // nil: refused, unless the type is any
	}{
		{"bool", `true`, true},
		{"bool", ` false `, false},
		{"bool", `"true"`, nil},
		{"bool", `1`, nil},
		{"bool", `null`, nil},
		{"int", `5`, int64(5)},
		{"int", `-0`, int64(0)},
		{"int", `5.0`, int64(5)},
		{"int", `5e3`, int64(5000)},
		{"int", `500e-2`, int64(5)},
		{"int", `1.25e2`, int64(125)},
		{"int", `1.25e1`, nil},
		{"int", `0.000e999999999999`, int64(0)},
		{"int", `1e999999999`, nil},
		{"int", `1e-999999999`, nil},
		{"int", `9007199254740993`, int64(9007199254740993)},
		{"int", `9007199254740993.0`, int64(9007199254740993)},
		{"int", `9223372036854775807`, int64(math.MaxInt64)},
		{"int", `-9223372036854775808`, int64(math.MinInt64)},
		{"int", `9223372036854775808`, nil},
		{"int", `"42"`, int64(42)},
		{"int", `"42.0"`, int64(42)},
		{"int", `"42.5"`, nil},
		{"int", `" 42"`, nil},
		{"int", `"0x2a"`, nil},
		{"int", `""`, nil},
		{"int", `1.5`, nil},
		{"int", `null`, nil},
		{"int", `[5]`, nil},
		{"uint", `18446744073709551615`, uint64(math.MaxUint64)},
		{"uint", `18446744073709551616`, nil},
		{"uint", `-1`, nil},
		{"uint", `-0.0`, uint64(0)},
		{"uint", `"7"`, uint64(7)},
		{"double", `1.5`, 1.5},
		{"double", `"1.5"`, 1.5},
		{"double", `7`, 7.0},
		{"double", `1e309`, nil},
		{"double", `"-1.79769313486231570814527423731704356798070e+309"`, nil},
		{"double", `"NaN"`, nil},
		{"double", `"Inf"`, nil},
		{"string", `"é\n"`, "é\n"},
		{"string", `"\ud800"`, nil},
		{"string", "\"\xff\"", nil},
		{"string", `5`, nil},
		{"bytes", `"aGk="`, []byte("hi")},
		{"bytes", `"aGk"`, []byte("hi")},
		{"bytes", `"-_8="`, []byte{0xfb, 0xff}},
		{"bytes", `"?"`, nil},
		{"duration", `"1h30m"`, 90 * time.Minute},
		{"duration", `"-2m"`, -2 * time.Minute},
		{"duration", `3600`, nil},
		{"duration", `"1 hour"`, nil},
		{"timestamp", `"2030-01-01T01:00:00+01:00"`, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)},
		{"timestamp", `"2030-01-01T00:00:00.5Z"`, time.Date(2030, 1, 1, 0, 0, 0, 5e8, time.UTC)},
		{"timestamp", `"2030-01-01"`, nil},
		{"timestamp", `"2030-01-01T00:00:00,5Z"`, nil},
		{"timestamp", `"2030-01-01T1:00:00Z"`, nil},
		{"timestamp", `"2030-01-01T00:00:00+25:00"`, nil},
		{"timestamp", `"2030-01-01T00:00:00"`, nil},
		{"timestamp", `"2030-01-01t00:00:00z"`, nil},
		{"timestamp", `"9999-12-31T23:59:59-01:00"`, nil},
		{"timestamp", `"0000-01-01T00:00:00Z"`, nil},
		{"timestamp", `1893456000`, nil},
		{"ipaddress", `"10.1.2.3"`, netip.MustParseAddr("10.1.2.3")},
		{"ipaddress", `"::ffff:10.1.2.3"`, netip.MustParseAddr("10.1.2.3")},
		{"ipaddress", `"2001:db8::1"`, netip.MustParseAddr("2001:db8::1")},
		{"ipaddress", `"fe80::1%eth0"`, nil},
		{"ipaddress", `"10.1.2"`, nil},
		{"ipaddress", `"010.1.2.3"`, nil},
		{"list<int>", `[1, "2", 3.0]`, []any{int64(1), int64(2), int64(3)}},
		{"list<int>", `[]`, []any{}},
		{"list<int>", `[1, "a"]`, nil},
		{"list<int>", `{}`, nil},
		{"list<list<string>>", `[["a"],[]]`, []any{[]any{"a"}, []any{}}},
		{"map<bool>", `{"a":true}`, map[string]any{"a": true}},
		{"map<bool>", `{"a":true,"a":true}`, nil},
		{"map<bool>", `{"a":null}`, nil},
		{"map<bool>", `[]`, nil},
		{"any", `null`, nil},
		{"any", `{"a":[1,"x",true,null]}`, map[string]any{"a": []any{1.0, "x", true, nil}}},
		{"any", `9007199254740992`, 9007199254740992.0},
		{"any", `9007199254740993`, nil},
		{"any", `1152921504606846976`, 1152921504606846976.0},
		{"any", `1e400`, nil},
		{"any", `{"a":1,"a":2}`, nil},
		{"map<any>", `{"n":null}`, map[string]any{"n": nil}},
		{"string", `"a" "b"`, nil},
		{"string", ``, nil},
		{"any", strings.Repeat("[", 33) + strings.Repeat("]", 33), nil},
		{"any", strings.Repeat("[", 100_000), nil},
	} {
		t.Run(test.typ+" "+test.json[:min(len(test.json), 40)], func(t *testing.T) {
			typ, err := value.ParseType(test.typ)
			if err != nil {
				t.Fatal(err)
			}
			got, err := typ.Decode([]byte(test.json))
			if refused := test.want == nil && test.json != "null" || test.json == "null" && test.typ != "any"; refused {
				var mismatch *value.MismatchError
				if !errors.As(err, &mismatch) {
					t.Fatalf("got %#v, %v, want a MismatchError", got, err)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Fatalf("got %#v, %v, want %#v", got, err, test.want)
			}
		})
	}
}

func TestMismatchNamesPlaceNotValue(t *testing.T) {
	err := value.CheckValue("map<list<int>>", []byte(`{"limits":[1,"s3cret"]}`))
	var mismatch *value.MismatchError
	if !errors.As(err, &mismatch) {
		t.Fatalf("got %v, want a MismatchError", err)
	}
	if mismatch.Type != "int" || mismatch.Kind != "string" || mismatch.Path != ".limits[1]" {
		t.Errorf("got %+v", mismatch)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("the error shows the value: %v", err)
	}
}

func TestTypes(t *testing.T) {
	for _, text := range []string{"bool", "int", "list<string>", "map<list<any>>"} {
		typ, err := value.ParseType(text)
		if err != nil || typ.String() != text {
			t.Errorf("%s: got %v, %v", text, typ, err)
		}
	}
	for text, suggestion := range map[string]string{
		"strng":      "did you mean string?",
		"stirng":     "did you mean string?",
		"integer":    "did you mean int?",
		"float":      "did you mean double?",
		"dyn":        "did you mean any?",
		"list":       "write list<string>, or list<any>",
		"int<int>":   "only list and map do",
		"list<int":   "write list<string>",
		"list<blah>": "there are bool, int, uint, double, string, bytes, duration, timestamp, ipaddress, any, list<T> and map<T>",
		"":           "there are bool, int, uint, double, string, bytes, duration, timestamp, ipaddress, any, list<T> and map<T>",
		"invalid":    "there are bool, int, uint, double, string, bytes, duration, timestamp, ipaddress, any, list<T> and map<T>",
		strings.Repeat("list<", 9) + "int" + strings.Repeat(">", 9): "8 lists and maps inside each other are the most",
	} {
		_, err := value.ParseType(text)
		var typeError *value.TypeError
		if !errors.As(err, &typeError) || typeError.Suggestion != suggestion {
			t.Errorf("%q: got %v, want the suggestion %q", text, err, suggestion)
		}
	}
}

// FuzzDecode holds the decoder to the standard library's: what it takes as any,
// that takes too, and no input panics.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5,"x",null,true]}`, `"1h"`, `1e5`, `[[[`, `"10.0.0.1"`, `9007199254740993`} {
		f.Add("list<map<int>>", seed)
		f.Add("any", seed)
		f.Add("int", seed)
	}
	f.Fuzz(func(t *testing.T, text, raw string) {
		typ, err := value.ParseType(text)
		if err != nil {
			return
		}
		if typ.String() != text && strings.ReplaceAll(text, " ", "") == text {
			if again, err := value.ParseType(typ.String()); err != nil || !reflect.DeepEqual(again, typ) {
				t.Fatalf("%q parses to %q, which does not parse back", text, typ)
			}
		}
		got, err := typ.Decode([]byte(raw))
		if err != nil {
			return
		}
		if text == "any" {
			var want any
			if err := json.Unmarshal([]byte(raw), &want); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: got %#v, want %#v (%v)", raw, got, want, err)
			}
		}
	})
}
