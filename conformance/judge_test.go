package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/server/api"
)

// The rules are those of docs/conformance.md; every function names its own.

// refusal says whether err is a clear answer of the server to a wrong question:
// a problem, and none that puts the blame on the server.
func refusal(err error) bool {
	var p *api.Problem
	return errors.As(err, &p) && p.Status < 500
}

// bounded says whether err is the clear error of a question that cannot be
// answered in bounded work.
func bounded(err error) bool { return errors.Is(err, api.BudgetExceeded) }

// missesContext says whether OpenFGA answered that context is missing (rule 1).
func (e suiteError) missesContext() bool {
	return e.Code == "2000" || strings.Contains(e.Contains, "missing context")
}

// tooDeep says whether the other engine gave up at a depth (rules 2 and 3).
func (e suiteError) tooDeep() bool {
	return e.Code == "2002" || strings.Contains(e.Code, "MAXIMUM_RECURSION") ||
		strings.Contains(e.Contains, "max depth") || strings.Contains(e.Contains, "maximum depth") || strings.Contains(e.Contains, "recursion")
}

// judgeCheck compares the answer of a check with what is expected.
func (a *assertion) judgeCheck(answer api.Answer, err error) error {
	if a.Expect == "error" {
		return a.judgeError(err, answer.Result, answer.Result == api.Conditional)
	}
	if err != nil {
		if a.ErrorOK && refusal(err) {
			return nil
		}
		return fmt.Errorf("got the error %w, want %s", err, a.Expect)
	}
	want, known := map[string]api.Result{"true": api.Allowed, "false": api.Denied, "conditional": api.Conditional}[a.Expect]
	if !known {
		return fmt.Errorf("unknown expectation %q", a.Expect)
	}
	if answer.Result != want || answer.Allowed != (want == api.Allowed) {
		return fmt.Errorf("got %s (missing %v), want %s", answer.Result, answer.Missing, want)
	}
	if len(a.Missing) > 0 && !slices.Equal(distinct(answer.Missing), distinct(a.Missing)) {
		return fmt.Errorf("got the missing context %v, want %v", answer.Missing, a.Missing)
	}
	return nil
}

// distinct returns names sorted, each once: the other engine names a parameter as
// often as its expression does.
func distinct(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// judgeError compares an answer with an expected error: any refusal will do
// (rule 8); so will a conditional answer where context is missing (rule 1), and
// an answer where the other engine's depth ended (rules 2 and 3).
func (a *assertion) judgeError(err error, got any, conditional bool) error {
	switch {
	case err != nil && (refusal(err) || bounded(err)):
		return nil
	case err != nil:
		return fmt.Errorf("got an error that is no refusal: %w", err)
	case a.Error.missesContext() && conditional, a.Error.tooDeep():
		return nil
	}
	return fmt.Errorf("got %v, want an error (theirs: %s %s)", got, a.Error.Code, a.Error.Contains)
}

// found is a set of answers: a lookup's, or what is expected of one.
type found map[string]api.Result

func (f found) String() string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(f)) {
		text := id
		if f[id] != api.Allowed {
			text += "=" + string(f[id])
		}
		parts = append(parts, text)
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// expected turns items into a set. A subject that a wildcard excludes only under
// a condition is a conditional subject.
func expected(items []item) found {
	f := found{}
	for _, i := range items {
		f[i.ID] = api.Allowed
		if i.Conditional {
			f[i.ID] = api.Conditional
		}
	}
	for _, i := range items {
		for _, e := range i.Excluded {
			if _, named := f[e.ID]; named {
				continue
			}
			f[e.ID] = api.Excluded
			if e.Conditional {
				f[e.ID] = api.Conditional
			}
		}
	}
	return f
}

// judgeList compares a lookup with what is expected of it.
func (a *assertion) judgeList(got found, err error, d api.Dialect) error {
	if a.Expect == "error" {
		conditional := slices.Contains(slices.Collect(maps.Values(got)), api.Conditional)
		return a.judgeError(err, got, conditional)
	}
	if err != nil {
		if a.ErrorOK && refusal(err) {
			return nil
		}
		return fmt.Errorf("got the error %w, want %v", err, expected(a.Items))
	}
	if d == api.OpenFGA {
		got = got.withoutExcluded()
	}
	want := expected(a.Items)
	if len(want) == 0 && (a.Match == "contains" || a.Match == "contains_or_wildcard" || a.Match == "excludes") {
		return fmt.Errorf("the match %q of no items says nothing", a.Match)
	}
	switch a.Match {
	case "", "exact":
		if !maps.Equal(got, want) {
			return fmt.Errorf("got %v, want %v", got, want)
		}
		return nil
	case "any":
		return nil
	case "validation":
		return a.judgeValidation(got, want)
	case "at_least":
		return a.judgeAtLeast(got, want)
	}
	for id, result := range want {
		has := got[id] == result
		if a.Match == "contains_or_wildcard" {
			has = has || got[wildcardOf(id)] == result && got[id] != api.Excluded
		}
		switch a.Match {
		case "contains", "contains_or_wildcard":
			if !has {
				return fmt.Errorf("got %v, want %s in it", got, id)
			}
		case "excludes":
			if got[id] == api.Allowed {
				return fmt.Errorf("got %v, want no %s in it", got, id)
			}
		default:
			return fmt.Errorf("unknown match %q", a.Match)
		}
	}
	return nil
}

// withoutExcluded reduces a lookup of subjects to OpenFGA's form, which does not
// tell whom a wildcard excludes (rule 5).
func (f found) withoutExcluded() found {
	out := found{}
	for id, result := range f {
		if result != api.Excluded {
			out[id] = result
		}
	}
	return out
}

func wildcardOf(id string) string {
	typ, _, _ := strings.Cut(id, ":")
	return typ + ":*"
}

// judgeValidation wants all unconditional items, allows conditional ones, and
// nothing else.
func (a *assertion) judgeValidation(got, want found) error {
	for id, result := range want {
		if result == api.Allowed && got[id] != api.Allowed {
			return fmt.Errorf("got %v, want %s in it", got, id)
		}
	}
	for id, result := range got {
		if _, ok := want[id]; !ok && result == api.Allowed {
			return fmt.Errorf("got %v, want no %s in it", got, id)
		}
	}
	return nil
}

// judgeAtLeast wants a number of results, each one of the items.
func (a *assertion) judgeAtLeast(got, want found) error {
	for id := range got {
		if _, ok := want[id]; !ok {
			return fmt.Errorf("got %v, want only %v", got, want)
		}
	}
	if len(got) < a.Min {
		return fmt.Errorf("got %d results, want at least %d", len(got), a.Min)
	}
	return nil
}
