package engine_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/condition"
)

// negations is a schema whose names recur through exclusions.
func negations() *schema.Schema {
	b := newBuilder("user", "document")
	b.condition("a", "a", condition.Param{Name: "a", Type: "bool"})
	b.relation("document", "viewer", shapes("user"), direct())
	b.relation("document", "maybe", shapes("user with a"), direct())
	b.relation("document", "banned", shapes("user"), direct())
	b.relation("document", "next", shapes("document"), direct())
	b.permission("document", "wins", except(name("viewer"), arrow("next", "wins")))
	b.permission("document", "odd", except(name("viewer"), or(name("odd"), and(name("rest"), name("banned")))))
	b.permission("document", "open", and(name("odd"), name("maybe")))
	b.permission("document", "rest", except(name("viewer"), name("open")))
	b.permission("document", "oddly_banned", and(name("odd"), name("banned")))
	b.permission("document", "banned_oddly", and(name("banned"), name("odd")))
	b.permission("document", "kept", except(name("viewer"), name("oddly_banned")))
	b.permission("document", "kept_too", except(name("viewer"), name("banned_oddly")))
	return b.schema()
}

// TestWinningPositions plays the game whose positions win where no move leads to
// a winning one. Position 0 can move anywhere, the others one down: they are
// walked before it is known that 0 loses, and their values then follow one
// another, each in a round of its own of the alternating fixpoint.
func TestWinningPositions(t *testing.T) {
	const positions = 9
	texts := []string{"document:out#viewer@user:ana", "document:0#viewer@user:ana"}
	for i := 1; i <= positions; i++ {
		texts = append(texts, fmt.Sprintf("document:%d#viewer@user:ana", i), fmt.Sprintf("document:0#next@document:%d", i),
			fmt.Sprintf("document:%d#next@document:%d", i, i-1))
	}
	texts = append(texts, "document:0#next@document:out") // out wins, so 0 loses
	v := view(t, negations(), texts...)
	var questions []engine.Question
	for i := range positions + 1 {
		questions = append(questions, question(t, fmt.Sprintf("user:ana wins document:%d", i)))
	}
	results, err := engine.CheckAll(t.Context(), v, questions)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		want := engine.Denied
		if i%2 == 1 {
			want = engine.Allowed
		}
		if r.Err != nil || r.Answer.Outcome != want {
			t.Errorf("position %d: got %v, %v, want %v", i, r.Answer.Outcome, r.Err, want)
		}
	}
}

func TestCirclesWithoutAWayOutAreDenied(t *testing.T) {
	v := view(t, negations(), "document:a#next@document:b", "document:b#next@document:a", "document:a#viewer@user:ana", "document:b#viewer@user:ana")
	expect(t, v, "user:ana wins document:a", engine.Denied)
	expect(t, v, "user:ana wins document:b", engine.Denied)
}

// TestUndefinedAndDeniedIsDenied: what is denied anyhow excludes nobody, even if
// its other operand depends on its own negation.
func TestUndefinedAndDeniedIsDenied(t *testing.T) {
	v := view(t, negations(), "document:d#viewer@user:ana")
	expect(t, v, "user:ana odd document:d", engine.Denied)
	expect(t, v, "user:ana kept document:d", engine.Allowed)
	expect(t, v, "user:ana kept_too document:d", engine.Allowed)
}

// TestExclusionOfUndefinedNamesWhatIsMissing: the upper bound of what is excluded
// is unknown for want of context, so the lower bound of the rest is, too.
func TestExclusionOfUndefinedNamesWhatIsMissing(t *testing.T) {
	v := view(t, negations(), "document:d#viewer@user:ana", "document:d#maybe@user:ana with a")
	for _, c := range []struct{ ask, want string }{{"open", "denied"}, {"rest", "conditional a"}} {
		if got := text(engine.Check(t.Context(), v, question(t, "user:ana "+c.ask+" document:d"))); got != c.want {
			t.Errorf("%s: got %s, want %s", c.ask, got, c.want)
		}
	}
}
