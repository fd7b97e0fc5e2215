package inprocess_test

import (
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/engine"
)

// The engine over a node's state answers as the dataset's evaluator does, also
// when the folder is opened again; and a folder with something else is refused.
func TestStoreAnswers(t *testing.T) {
	dir, d := t.TempDir(), dataset.NewDrive(3000, 7)
	for _, found := range []bool{false, true} {
		s, err := inprocess.Open(dir, d)
		if err != nil {
			t.Fatal(err)
		}
		if s.Found != found {
			t.Errorf("found there already: %v, want %v", s.Found, found)
		}
		v, done, err := s.View()
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range d.Questions(1, 1000) {
			a, err := engine.Check(t.Context(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
			if err != nil || (a.Outcome == engine.Allowed) != q.Allowed {
				t.Fatalf("%v %s %v: %v, %v; want allowed: %v", q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
			}
		}
		done()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inprocess.Open(dir, renamed{dataset.NewDrive(3000, 8), d.Name()}); err == nil || !strings.Contains(err.Error(), "delete the folder") {
		t.Errorf("another dataset of the same name: %v", err)
	}
}

type renamed struct {
	dataset.Dataset
	name string
}

func (r renamed) Name() string { return r.name }
