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
		agree(t, dataset.NewDrive(3000, seed), 2000)
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

// The lists of the walk are the engine's.
func TestDriveLists(t *testing.T) {
	d := dataset.NewDrive(3000, 4)
	v := view(t, d)
	for _, l := range d.ObjectLists(1, 3) {
		p, err := engine.LookupObjects(t.Context(), v, engine.ObjectsQuestion{Type: l.Type, Permission: l.Permission, Subject: l.Subject}, engine.Page{})
		var got []string
		for _, o := range p.Found {
			got = append(got, o.Object.ID)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, l.IDs) || len(got) == 0 {
			t.Errorf("documents of %v: %d, want %d (%v)", l.Subject, len(got), len(l.IDs), err)
		}
	}
	for _, l := range d.SubjectLists(1, 10) {
		p, err := engine.LookupSubjects(t.Context(), v, engine.SubjectsQuestion{Object: l.Object, Permission: l.Permission, Type: l.Type}, engine.Page{})
		var got []string
		for _, s := range p.Found {
			got = append(got, s.Subject.ID)
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, l.IDs) {
			t.Errorf("viewers of %v: %v, want %v (%v)", l.Object, got, l.IDs, err)
		}
	}
}
