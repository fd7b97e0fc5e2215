package engine_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Names that rest on each other in a long row would be written out again and again:
// forms stop at a bound, and the answers are the same without.
func TestFormsAreBounded(t *testing.T) {
	const names = 3000
	b := newBuilder("user", "file")
	b.relation("file", "n0", shapes("user"), direct())
	for i := 1; i < names; i++ {
		b.permission("file", fmt.Sprint("n", i), or(name(fmt.Sprint("n", i-1)), name("n0")))
	}
	s := b.schema()
	forms, terms := engine.Forms(s)
	if forms < 50 || terms > 1<<18+256 {
		t.Fatalf("%d forms out of %d terms", forms, terms)
	}
	file, ana := tuple.Object{Type: "file", ID: "a"}, tuple.Subject{Type: "user", ID: "ana"}
	r, err := memory.New(s, []tuple.Tuple{{Key: tuple.Key{Object: file, Relation: "n0", Subject: ana}}})
	if err != nil {
		t.Fatal(err)
	}
	v := engine.View{Schema: s, Now: noon, Reader: r}
	for _, n := range []int{0, 1, 50, 127, 128, 129, 500, names - 1} {
		for subject, want := range map[tuple.Subject]string{ana: "allowed", {Type: "user", ID: "bob"}: "denied"} {
			if got := text(engine.Check(t.Context(), v, engine.Question{Object: file, Permission: fmt.Sprint("n", n), Subject: subject})); got != want {
				t.Errorf("%v n%d: %s, want %s", subject, n, got, want)
			}
		}
	}
}
