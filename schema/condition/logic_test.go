package condition_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/schema/condition"
)

// truth is what an expression has in the naive evaluator: true, false, an error,
// or unknown for the parameters named.
type truth struct {
	value   bool
	failed  bool
	missing map[string]bool
}

func (v truth) String() string {
	switch {
	case len(v.missing) > 0:
		return "missing " + strings.Join(slices.Sorted(maps.Keys(v.missing)), ",")
	case v.failed:
		return "error"
	}
	return fmt.Sprint(v.value)
}

// formula is a random expression with its naive evaluation.
type formula struct {
	text string
	eval func(given map[string]string) truth
}

// both is && (decided by false) or || (decided by true): a decided operand wins,
// then what is missing of either, then an error.
func both(a, b truth, decides bool) truth {
	known := func(v truth) bool { return !v.failed && len(v.missing) == 0 }
	switch {
	case known(a) && a.value == decides, known(b) && b.value == decides:
		return truth{value: decides}
	case len(a.missing)+len(b.missing) > 0:
		all := maps.Clone(a.missing)
		if all == nil {
			all = map[string]bool{}
		}
		maps.Copy(all, b.missing)
		return truth{missing: all}
	case a.failed || b.failed:
		return truth{failed: true}
	}
	return truth{value: !decides}
}

func random(r *rand.Rand, depth int) formula {
	if depth == 0 || r.IntN(5) == 0 {
		name := string(rune('a' + r.IntN(5)))
		return formula{name, func(given map[string]string) truth {
			switch given[name] {
			case "":
				return truth{missing: map[string]bool{name: true}}
			case "true", "false":
				return truth{value: given[name] == "true"}
			}
			return truth{failed: true}
		}}
	}
	x, y, z := random(r, depth-1), random(r, depth-1), random(r, depth-1)
	switch r.IntN(4) {
	case 0:
		return formula{"(" + x.text + " && " + y.text + ")", func(g map[string]string) truth { return both(x.eval(g), y.eval(g), false) }}
	case 1:
		return formula{"(" + x.text + " || " + y.text + ")", func(g map[string]string) truth { return both(x.eval(g), y.eval(g), true) }}
	case 2:
		return formula{"!" + x.text, func(g map[string]string) truth {
			v := x.eval(g)
			v.value = !v.value
			return v
		}}
	default:
		return formula{"(" + x.text + " ? " + y.text + " : " + z.text + ")", func(g map[string]string) truth {
			v := x.eval(g)
			switch {
			case v.failed || len(v.missing) > 0:
				return v
			case v.value:
				return y.eval(g)
			}
			return z.eval(g)
		}}
	}
}

// TestLogic holds evaluation to a naive one over random expressions: what is
// missing or wrong matters exactly where it decides.
func TestLogic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		f := random(r, 4)
		p, err := condition.Compile("c", params("a bool, b bool, c bool, d bool, e bool"), f.text)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]string{}
		var members []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			if v := []string{"", "true", "false", "null"}[r.IntN(4)]; v != "" {
				given[name] = v
				members = append(members, fmt.Sprintf("%q:%s", name, v))
			}
		}
		context := "{" + strings.Join(members, ",") + "}"
		got := strings.TrimSuffix(eval(p, "", request(t, context)), " "+condition.CodeValue)
		if want := f.eval(given).String(); got != want {
			t.Fatalf("%s with %s: got %s, want %s", f.text, context, got, want)
		}
	}
}
