package conformance

import (
	"errors"
	"testing"

	"github.com/pemba-authz/pemba/server/api"
)

// The judge itself is tried on answers that are right and on ones that are not:
// a run that lets everything pass would prove nothing.

var errRefused = api.NewProblem(api.InvalidRequest, "refused")

func TestJudgeOfChecks(t *testing.T) {
	allowed := api.Answer{Allowed: true, Result: api.Allowed}
	denied := api.Answer{Result: api.Denied}
	conditional := api.Answer{Result: api.Conditional, Missing: []string{"x", "y"}}
	for _, c := range []struct {
		name   string
		a      assertion
		answer api.Answer
		err    error
		passes bool
	}{
		{"true", assertion{Expect: "true"}, allowed, nil, true},
		{"true but denied", assertion{Expect: "true"}, denied, nil, false},
		{"true but conditional", assertion{Expect: "true"}, conditional, nil, false},
		{"true but refused", assertion{Expect: "true"}, api.Answer{}, errRefused, false},
		{"true in a word alone", assertion{Expect: "true"}, api.Answer{Result: api.Allowed}, nil, false},
		{"false", assertion{Expect: "false"}, denied, nil, true},
		{"false but allowed", assertion{Expect: "false"}, allowed, nil, false},
		{"conditional", assertion{Expect: "conditional", Missing: []string{"y", "x", "x"}}, conditional, nil, true},
		{"conditional with other missing", assertion{Expect: "conditional", Missing: []string{"x"}}, conditional, nil, false},
		{"error", assertion{Expect: "error"}, api.Answer{}, errRefused, true},
		{"error but an answer", assertion{Expect: "error"}, denied, nil, false},
		{"error of the server", assertion{Expect: "error"}, api.Answer{}, api.NewProblem(api.Internal, "oops"), false},
		{"error of the network", assertion{Expect: "error"}, api.Answer{}, errors.New("no connection"), false},
		{"missing context is conditional", assertion{Expect: "error", Error: suiteError{Code: "2000"}}, conditional, nil, true},
		{"missing context is not allowed", assertion{Expect: "error", Error: suiteError{Code: "2000"}}, allowed, nil, false},
		{"too deep for the other engine", assertion{Expect: "error", Error: suiteError{Code: "2002"}}, denied, nil, true},
		{"a question that takes too long", assertion{Expect: "error", Error: suiteError{Code: "2002"}}, api.Answer{}, api.NewProblem(api.BudgetExceeded, "much"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.a.judgeCheck(c.answer, c.err); (err == nil) != c.passes {
				t.Errorf("got %v, passes should be %v", err, c.passes)
			}
		})
	}
}

func TestJudgeOfLists(t *testing.T) {
	wildcard := []item{{ID: "user:*", Excluded: []item{{ID: "user:bob"}, {ID: "user:cyd", Conditional: true}}}}
	for _, c := range []struct {
		name   string
		a      assertion
		got    found
		engine api.Dialect
		passes bool
	}{
		{"exact", assertion{Items: []item{{ID: "doc:1"}, {ID: "doc:2", Conditional: true}}}, found{"doc:1": api.Allowed, "doc:2": api.Conditional}, api.SpiceDB, true},
		{"one too few", assertion{Items: []item{{ID: "doc:1"}}}, found{}, api.SpiceDB, false},
		{"one too many", assertion{}, found{"doc:1": api.Allowed}, api.SpiceDB, false},
		{"conditional instead of allowed", assertion{Items: []item{{ID: "doc:1"}}}, found{"doc:1": api.Conditional}, api.SpiceDB, false},
		{"wildcard with exclusions", assertion{Items: wildcard}, found{"user:*": api.Allowed, "user:bob": api.Excluded, "user:cyd": api.Conditional}, api.SpiceDB, true},
		{"wildcard without its exclusions", assertion{Items: wildcard}, found{"user:*": api.Allowed}, api.SpiceDB, false},
		{"exclusions are not OpenFGA's", assertion{Items: []item{{ID: "user:*"}}}, found{"user:*": api.Allowed, "user:bob": api.Excluded}, api.OpenFGA, true},
		{"contains", assertion{Match: "contains", Items: []item{{ID: "doc:1"}}}, found{"doc:1": api.Allowed, "doc:2": api.Allowed}, api.OpenFGA, true},
		{"does not contain", assertion{Match: "contains", Items: []item{{ID: "doc:1"}}}, found{"doc:2": api.Allowed}, api.OpenFGA, false},
		{"covered by the wildcard", assertion{Match: "contains_or_wildcard", Items: []item{{ID: "user:ana"}}}, found{"user:*": api.Allowed}, api.OpenFGA, true},
		{"not covered by a wildcard of another type", assertion{Match: "contains_or_wildcard", Items: []item{{ID: "user:ana"}}}, found{"bot:*": api.Allowed}, api.OpenFGA, false},
		{"excludes", assertion{Match: "excludes", Items: []item{{ID: "user:ana"}}}, found{"user:bob": api.Allowed}, api.OpenFGA, true},
		{"does not exclude", assertion{Match: "excludes", Items: []item{{ID: "user:ana"}}}, found{"user:ana": api.Allowed}, api.OpenFGA, false},
		{"validation forgives conditional ones", assertion{Match: "validation", Items: []item{{ID: "user:ana"}}}, found{"user:ana": api.Allowed, "user:bob": api.Conditional}, api.SpiceDB, true},
		{"validation wants all", assertion{Match: "validation", Items: []item{{ID: "user:ana"}}}, found{}, api.SpiceDB, false},
		{"validation wants no others", assertion{Match: "validation"}, found{"user:ana": api.Allowed}, api.SpiceDB, false},
		{"at least", assertion{Match: "at_least", Min: 1, Items: []item{{ID: "doc:1"}, {ID: "doc:2"}}}, found{"doc:2": api.Allowed}, api.OpenFGA, true},
		{"at least, another", assertion{Match: "at_least", Min: 1, Items: []item{{ID: "doc:1"}}}, found{"doc:1": api.Allowed, "doc:3": api.Allowed}, api.OpenFGA, false},
		{"at least, too few", assertion{Match: "at_least", Min: 2, Items: []item{{ID: "doc:1"}, {ID: "doc:2"}}}, found{"doc:2": api.Allowed}, api.OpenFGA, false},
		{"unknown match", assertion{Match: "vaguely", Items: []item{{ID: "doc:1"}}}, found{"doc:1": api.Allowed}, api.OpenFGA, false},
		{"expected error", assertion{Expect: "error"}, found{"doc:1": api.Allowed}, api.OpenFGA, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.a.judgeList(c.got, nil, c.engine); (err == nil) != c.passes {
				t.Errorf("got %v, passes should be %v", err, c.passes)
			}
		})
	}
}
