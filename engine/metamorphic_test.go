package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// answers asks everything of a world that a schema and tuples were changed in.
func answers(t *testing.T, w *world) map[engine.Question]string {
	t.Helper()
	var questions []engine.Question
	for _, o := range w.objects {
		for _, n := range w.names[o.Type] {
			for _, s := range w.subjects {
				questions = append(questions, engine.Question{Object: o, Permission: n, Subject: s})
			}
		}
	}
	results, err := engine.CheckAll(t.Context(), w.view(), questions)
	if err != nil {
		t.Fatal(err)
	}
	said := map[engine.Question]string{}
	for i, q := range questions {
		said[q] = text(results[i].Answer, results[i].Err)
	}
	return said
}

// unchanged says that a change to random worlds changes no outcome.
func unchanged(t *testing.T, change func(*world)) {
	for seed := uint64(1); seed <= 40; seed++ {
		w := newWorld(seed)
		before := answers(t, w)
		changed := newWorld(seed)
		change(changed)
		for q, got := range answers(t, changed) {
			if got != before[q] {
				t.Fatalf("seed %d: %+v: %s before, %s now\n%s", seed, q, before[q], got, w)
			}
		}
	}
}

func eachExpr(x *schema.Expr, f func(*schema.Expr)) {
	f(x)
	for _, o := range x.Operands {
		eachExpr(o, f)
	}
}

func TestOperandOrderChangesNothing(t *testing.T) {
	unchanged(t, func(w *world) {
		for _, typ := range w.schema.Types {
			for _, r := range typ.Relations {
				eachExpr(r.Rewrite, func(x *schema.Expr) {
					if x.Kind != schema.Exclusion {
						slices.Reverse(x.Operands)
					}
				})
			}
		}
	})
}

func TestTupleOrderChangesNothing(t *testing.T) {
	unchanged(t, func(w *world) {
		last := map[tuple.Key]tuple.Tuple{} // of two with one key the later counts, so keep that
		for _, x := range w.stored {
			last[x.Key] = x
		}
		w.stored = w.stored[:0]
		for _, x := range last {
			w.stored = append(w.stored, x)
		}
		slices.SortFunc(w.stored, func(a, b tuple.Tuple) int { return b.Key.Compare(a.Key) })
		slices.Reverse(w.contextual)
	})
}

func TestTuplesOfAnotherTypeChangeNothing(t *testing.T) {
	unchanged(t, func(w *world) {
		relations := 0
		for _, r := range w.schema.Relations {
			if r != nil {
				relations = max(relations, int(r.ID))
			}
		}
		other := &schema.Type{ID: tuple.TypeID(len(w.schema.Types) + 1), Name: "other"}
		other.Relations = []*schema.Relation{{ID: tuple.RelationID(relations + 1), Name: "r", Rewrite: &schema.Expr{Kind: schema.Direct},
			Shapes: []schema.Shape{{Type: other.ID}, {Type: w.schema.Type("user").ID}, {Type: other.ID, Relation: tuple.RelationID(relations + 1)}}}}
		w.schema = schema.New(1, append(w.schema.Types, other), w.schema.Conditions[1:])
		for _, text := range []string{"other:0#r@other:1", "other:0#r@user:0", "other:0#r@other:0#r", "other:1#r@other:0#r"} {
			x, err := tuple.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			w.stored = append(w.stored, x)
		}
	})
}

// TestNamingAnOperandChangesNothing gives every operand a permission of its own.
func TestNamingAnOperandChangesNothing(t *testing.T) {
	unchanged(t, func(w *world) {
		next := tuple.RelationID(len(w.schema.Relations))
		for _, typ := range w.schema.Types {
			acts := []*schema.Acts{} // what acts on this type: it must list the new names as it lists the old
			for _, actor := range w.schema.Types {
				for i := range actor.Acts {
					if actor.Acts[i].On == typ.ID {
						acts = append(acts, &actor.Acts[i])
					}
				}
			}
			if len(acts) > 0 {
				continue // naming adds a name, and names are what acting goes by
			}
			for _, r := range slices.Clone(typ.Relations) {
				eachExpr(r.Rewrite, func(x *schema.Expr) {
					for i, o := range x.Operands {
						if o.Kind == schema.Direct || o.Kind == schema.Computed {
							continue
						}
						named := &schema.Relation{ID: next, Name: fmt.Sprint("n", next), Permission: true, Rewrite: o}
						typ.Relations = append(typ.Relations, named)
						x.Operands[i] = &schema.Expr{Kind: schema.Computed, Relation: next}
						next++
					}
				})
			}
		}
		w.schema = schema.New(1, w.schema.Types, w.schema.Conditions[1:])
	})
}

func TestContextualTuplesCountAsWritten(t *testing.T) {
	unchanged(t, func(w *world) {
		w.stored = append(w.stored, w.contextual...)
		w.contextual = nil
	})
}
