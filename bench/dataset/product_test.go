package dataset_test

import (
	"testing"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/engine"
)

// The plain evaluator and the engine agree about every product.
func TestProductAnswers(t *testing.T) {
	for _, name := range dataset.Products() {
		t.Run(name, func(t *testing.T) {
			p, err := dataset.NewProduct(name, 2000, 1)
			if err != nil {
				t.Fatal(err)
			}
			agree(t, p, 1000)
		})
	}
	if _, err := dataset.NewProduct("nothing", 10, 1); err == nil {
		t.Error("a product that does not exist is made")
	}
}

// agree asks the engine a dataset's questions over its tuples in memory.
func agree(t *testing.T, d dataset.Dataset, questions int) {
	t.Helper()
	v := view(t, d)
	denied := 0
	list := d.Questions(1, questions)
	for _, q := range list {
		a, err := engine.Check(t.Context(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
		if err != nil || (a.Outcome == engine.Allowed) != q.Allowed {
			t.Fatalf("%v %s %v: the engine says %v (%v), the evaluator allowed: %v", q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
		}
		if !q.Allowed {
			denied++
		}
	}
	if len(list) != questions || denied*2 != questions {
		t.Errorf("%d questions, %d of them denied; want %d, and half of them", len(list), denied, questions)
	}
}
