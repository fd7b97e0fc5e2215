package engine_test

import (
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// PEMBA_QUESTIONS=5000000 go test -run Differential ./engine asks so many random
// questions; -seed repeats one world that a failure has named.
var seedFlag = flag.Uint64("seed", 0, "the one random world to ask about; 0: many")

const defaultQuestions = 120_000

func questionsWanted(t *testing.T) int {
	text := os.Getenv("PEMBA_QUESTIONS")
	if text == "" {
		return defaultQuestions
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("PEMBA_QUESTIONS: %v", err)
	}
	return n
}

// TestDifferential holds Check to the naive evaluator over random worlds: every
// object and name, for every subject.
func TestDifferential(t *testing.T) {
	if *seedFlag != 0 {
		compareWorld(t, *seedFlag)
		return
	}
	asked, worlds := 0, 0
	for seed := uint64(1); asked < questionsWanted(t) && !t.Failed(); seed++ {
		asked += compareWorld(t, seed)
		worlds++
	}
	t.Logf("%d questions over %d worlds: %v", asked, worlds, tally)
}

// text is an outcome as both evaluators can say it.
func text(a engine.Answer, err error) string {
	switch {
	case err != nil:
		return "error"
	case a.Outcome == engine.Conditional:
		return "conditional " + strings.Join(a.Missing, ",")
	case a.Outcome == engine.Allowed:
		return "allowed"
	}
	return "denied"
}

func (v verdict) String() string {
	switch v.truth {
	case 0:
		return "denied"
	case 2:
		return "allowed"
	}
	if v.causes["!"] {
		return "error"
	}
	var names []string
	for c := range v.causes {
		names = append(names, c)
	}
	slices.Sort(names)
	return "conditional " + strings.Join(names, ",")
}

func compareWorld(t *testing.T, seed uint64) int {
	t.Helper()
	if seed%2 == 0 {
		defer engine.ClimbAtOnce()()
	}
	w := newWorld(seed)
	r := w.reference(w.subjects)
	v := w.view()
	if seed%4 > 1 {
		v.Reader = rowless{v.Reader}
	}
	var questions []engine.Question
	for _, o := range w.objects {
		for _, n := range w.names[o.Type] {
			for _, s := range w.subjects {
				questions = append(questions, engine.Question{Object: o, Permission: n, Subject: s})
			}
		}
	}
	w.rnd.Shuffle(len(questions), func(i, j int) { questions[i], questions[j] = questions[j], questions[i] })
	want := func(q engine.Question) string {
		return r.lower[tuple.Key{Object: q.Object, Relation: q.Permission, Subject: q.Subject}].String()
	}
	fail := func(how string, q engine.Question, got string) {
		t.Errorf("seed %d, %s: %s %s %s: got %s, want %s\n%s", seed, how, q.Subject, q.Permission, q.Object, got, want(q), w)
	}
	results, err := engine.CheckAll(t.Context(), v, questions)
	if err != nil {
		t.Errorf("seed %d: %v\n%s", seed, err, w)
		return 0
	}
	for i, q := range questions {
		tally[strings.Fields(want(q))[0]]++
		if got := text(results[i].Answer, results[i].Err); got != want(q) {
			fail("in a batch", q, got)
			return 0
		}
	}
	for _, q := range questions[:len(questions)/4] {
		if got := text(engine.Check(t.Context(), v, q)); got != want(q) {
			fail("alone", q, got)
			return 0
		}
	}
	return len(questions) + compareLookups(t, seed, w, r) + compareExpand(t, seed, w, r) + compareExplain(t, seed, w, r, questions)
}

// rowless reads every relation by itself, as of objects with many tuples.
type rowless struct{ engine.Reader }

func (r rowless) Row(tuple.Node, []tuple.Edge) (int, bool, error) { return 0, false, nil }

var tally = map[string]int{}
