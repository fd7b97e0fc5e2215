package dataset_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"slices"
	"time"
)

// Every answer of the walk is the engine's, over the same tuples in memory, and
// half of them are denied.
func TestDriveAnswers(t *testing.T) {
	for seed := range uint64(3) {
		d := dataset.NewDrive(3000, seed)
		v := view(t, d)
		denied := 0
		questions := d.Questions(seed, 2000)
		for _, q := range questions {
			a, err := engine.Check(t.Context(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
			if err != nil || (a.Outcome == engine.Allowed) != q.Allowed {
				t.Fatalf("seed %d: %v %s %v: the engine says %v (%v), the walk allowed: %v", seed, q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
			}
			if !q.Allowed {
				denied++
			}
		}
		if denied != len(questions)/2 {
			t.Errorf("seed %d: %d of %d questions are denied, want half", seed, denied, len(questions))
		}
	}
}

func view(t testing.TB, d dataset.Dataset) engine.View {
	t.Helper()
	m, err := schema.Compile([]source.File{{Name: "drive.pemba", Text: d.Schema()}}, schema.NewNumbering())
	if err != nil {
		t.Fatal(err)
	}
	r, err := memory.New(m.Schema, slices.Collect(d.Tuples()))
	if err != nil {
		t.Fatal(err)
	}
	return engine.View{Schema: m.Schema, Reader: r, Now: time.Now()}
}

// The same size and seed are the same tuples, each once; another seed has others.
func TestDriveIsAFunctionOfItsSeed(t *testing.T) {
	all := func(seed uint64) map[string]bool {
		set, n := map[string]bool{}, 0
		for tp := range dataset.NewDrive(dataset.SizeS, seed).Tuples() {
			set[tp.String()] = true
			n++
		}
		if n != len(set) {
			t.Errorf("seed %d: %d tuples, %d of them different", seed, n, len(set))
		}
		if n < dataset.SizeS*97/100 || n > dataset.SizeS*103/100 {
			t.Errorf("seed %d: %d tuples, want about %d", seed, n, dataset.SizeS)
		}
		return set
	}
	one, again, other := all(1), all(1), all(2)
	if fmt.Sprint(one) != fmt.Sprint(again) {
		t.Error("one seed gives two datasets")
	}
	if fmt.Sprint(one) == fmt.Sprint(other) {
		t.Error("two seeds give one dataset")
	}
}

// A stop in the middle ends the stream.
func TestDriveStops(t *testing.T) {
	n := 0
	for range dataset.NewDrive(dataset.SizeS, 1).Tuples() {
		if n++; n == 5000 {
			break
		}
	}
	if n != 5000 {
		t.Errorf("%d tuples", n)
	}
}
