package inprocess_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

const baselineFile = "../baseline.json"

// cost is what a list of questions costs, by measures that do not depend on how
// fast a machine is.
type cost struct {
	Reads  float64 `json:"reads"`  // calls of the reader and what they gave, per question
	Allocs float64 `json:"allocs"` // allocations per question
	Walks  float64 `json:"walks"`  // time of a question in times of the drive's walk by hand, in the same process
}

// How much more than the baseline fails. Reads and allocations are exact; times
// are ratios of minima taken in turn in one process, which still differ by a
// third between processors.
const (
	moreReads  = 1.2
	moreAllocs = 1.2
	moreTime   = 2.0
)

// TestBaseline fails on a large regression of what a check costs:
//
//	PEMBA_BASELINE=check go test -count 1 -run 'TestBaseline$' ./bench/inprocess
//
// PEMBA_BASELINE=renew writes bench/baseline.json anew, after a change that is
// meant to cost more, or that costs less and should stay so.
func TestBaseline(t *testing.T) {
	mode := os.Getenv("PEMBA_BASELINE")
	if mode == "" {
		t.Skip("PEMBA_BASELINE is not set")
	}
	got := measure(t)
	if mode == "renew" {
		text, err := json.MarshalIndent(got, "", "  ")
		if err == nil {
			err = os.WriteFile(baselineFile, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var baseline map[string]cost
	text, err := os.ReadFile(baselineFile)
	if err == nil {
		err = json.Unmarshal(text, &baseline)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range got {
		was, ok := baseline[name]
		if !ok {
			t.Errorf("%s is not in %s: renew it", name, baselineFile)
		}
		t.Logf("%-12s reads %.1f, allocations %.1f, walks %.1f; recorded are %.1f, %.1f, %.1f", name,
			is.Reads, is.Allocs, is.Walks, was.Reads, was.Allocs, was.Walks)
		beyond := func(what string, is, was, factor float64) {
			if is > was*factor+0.5 {
				t.Errorf("%s: %s are %.1f per question, recorded are %.1f: more than %.1f times as much", name, what, is, was, factor)
			}
		}
		beyond("reads", is.Reads, was.Reads, moreReads)
		beyond("allocations", is.Allocs, was.Allocs, moreAllocs)
		beyond("times of the walk by hand", is.Walks, was.Walks, moreTime)
	}
}

// measure asks fixed lists of questions.
func measure(t *testing.T) map[string]cost {
	drive, shapes := dataset.NewDrive(50_000, 1), dataset.NewShapes(20_000)
	type asked struct {
		name      string
		view      engine.View
		questions []dataset.Question
	}
	lists := []asked{{"drive", opened(t, drive), drive.Questions(1, 4000)}}
	view := opened(t, shapes)
	for _, shape := range shapes.Shapes() {
		lists = append(lists, asked{shape.Name, view, shape.Questions})
	}
	w, questions := drive.Walk(), lists[0].questions
	runs := []func() int{func() int {
		for i := range questions {
			if q := &questions[i]; w.MayView(q.Object.ID, q.Subject.ID) != q.Allowed {
				t.Fatalf("the walk answers %v wrong", q)
			}
		}
		return len(questions)
	}}
	costs := map[string]cost{}
	for _, l := range lists {
		costs[l.name] = counted(t, l.view, l.questions)
		times := max(1, 500/len(l.questions))
		runs = append(runs, func() int {
			for range times {
				answer(t, l.view, l.questions)
			}
			return times * len(l.questions)
		})
	}
	took := interleaved(30, runs)
	for i, l := range lists {
		c := costs[l.name]
		c.Walks = round(took[i+1] / took[0])
		costs[l.name] = c
	}
	return costs
}

func opened(t *testing.T, d dataset.Dataset) engine.View {
	s, err := inprocess.Open(t.TempDir(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	v, done, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return v
}

func answer(t *testing.T, v engine.View, questions []dataset.Question) {
	for i := range questions {
		q := &questions[i]
		a, err := engine.Check(context.Background(), v, engine.Question{Object: q.Object, Permission: q.Permission, Subject: q.Subject})
		if err != nil || (a.Outcome == engine.Allowed) != q.Allowed {
			t.Fatalf("%v %s %v: %v, %v; want allowed: %v", q.Subject, q.Permission, q.Object, a.Outcome, err, q.Allowed)
		}
	}
}

func counted(t *testing.T, v engine.View, questions []dataset.Question) cost {
	n := float64(len(questions))
	c := cost{Allocs: round(testing.AllocsPerRun(1, func() { answer(t, v, questions) }) / n)}
	counter := &counter{Reader: v.Reader}
	v.Reader = counter
	answer(t, v, questions)
	c.Reads = round(float64(counter.reads) / n)
	return c
}

// interleaved returns the shortest time per question of each of several runs,
// taken in turn so that a busy machine is busy for all of them. A run returns how
// many questions it asked.
func interleaved(rounds int, runs []func() int) []float64 {
	least := make([]float64, len(runs))
	for i := range least {
		least[i] = math.Inf(1)
	}
	for range rounds {
		for i, run := range runs {
			begin := time.Now()
			n := run()
			least[i] = min(least[i], float64(time.Since(begin))/float64(n))
		}
	}
	return least
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// counter counts what the engine reads.
type counter struct {
	engine.Reader
	reads int
}

func (c *counter) Node(t tuple.TypeID, id string) (tuple.Node, error) {
	c.reads++
	return c.Reader.Node(t, id)
}

func (c *counter) Pair(a, b tuple.ObjectName) (tuple.Node, tuple.Node, error) {
	c.reads += 2
	return c.Reader.Pair(a, b)
}

func (c *counter) Row(o tuple.Node, into []tuple.Edge) (int, bool, error) {
	n, whole, err := c.Reader.Row(o, into)
	c.reads += 1 + n
	return n, whole, err
}

func (c *counter) Edge(o tuple.Node, r tuple.RelationID, s tuple.Ref) (tuple.Edge, bool, error) {
	c.reads++
	return c.Reader.Edge(o, r, s)
}

func (c *counter) Subjects(o tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return c.read(c.Reader.Subjects(o, r, from, into))
}

func (c *counter) Usersets(o tuple.Node, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return c.read(c.Reader.Usersets(o, r, from, into))
}

func (c *counter) Objects(s tuple.Ref, r tuple.RelationID, from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
	return c.read(c.Reader.Objects(s, r, from, into))
}

func (c *counter) Closure(s tuple.Ref, r tuple.RelationID, into []tuple.Node) (int, bool, error) {
	n, ok, err := c.Reader.Closure(s, r, into)
	c.reads += 1 + n
	return n, ok, err
}

func (c *counter) read(n int, next tuple.Cursor, err error) (int, tuple.Cursor, error) {
	c.reads += 1 + n
	return n, next, err
}
