package engine_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// graph gathers tuples for a benchmark.
type graph struct{ tuples []tuple.Tuple }

func (g *graph) add(object, id, relation, subject, sid, member string) {
	g.tuples = append(g.tuples, tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: object, ID: id}, Relation: relation,
		Subject: tuple.Subject{Type: subject, ID: sid, Relation: member}}})
}

func (g *graph) view(b testing.TB, s *schema.Schema) engine.View {
	r, err := memory.New(s, g.tuples)
	if err != nil {
		b.Fatal(err)
	}
	return engine.View{Schema: s, Reader: r, Now: noon}
}

// check measures a question and makes sure of its answer.
func check(b *testing.B, v engine.View, text string, want engine.Outcome) {
	q := question(b, text)
	b.ReportAllocs()
	for b.Loop() {
		a, err := engine.Check(b.Context(), v, q)
		if err != nil || a.Outcome != want {
			b.Fatal(a, err)
		}
	}
}

func BenchmarkCheckDirect(b *testing.B) {
	g := graph{}
	for i := range 1000 {
		g.add("document", "readme", "viewer", "user", fmt.Sprint("u", i), "")
	}
	v := g.view(b, groups())
	b.Run("allowed", func(b *testing.B) { check(b, v, "user:u500 view document:readme", engine.Allowed) })
	b.Run("denied", func(b *testing.B) { check(b, v, "user:zoe view document:readme", engine.Denied) })
}

// subgroups is a group of n groups with ten users each.
func subgroups(n int) *graph {
	g := &graph{}
	g.add("document", "readme", "viewer", "group", "all", "member")
	for i := range n {
		g.add("group", "all", "member", "group", fmt.Sprint("g", i), "member")
		for j := range 10 {
			g.add("group", fmt.Sprint("g", i), "member", "user", fmt.Sprintf("u%d-%d", i, j), "")
		}
	}
	return g
}

func BenchmarkCheckSubgroups10000(b *testing.B) {
	v := subgroups(10_000).view(b, groups())
	b.Run("allowed", func(b *testing.B) { check(b, v, "user:u9999-3 view document:readme", engine.Allowed) })
	b.Run("denied", func(b *testing.B) { check(b, v, "user:zoe view document:readme", engine.Denied) })
}

func BenchmarkCheckChain50(b *testing.B) {
	g := &graph{}
	for i := range 50 {
		g.add("group", fmt.Sprint(i), "member", "group", fmt.Sprint(i+1), "member")
	}
	g.add("group", "50", "member", "user", "ana", "")
	g.add("document", "readme", "viewer", "group", "0", "member")
	v := g.view(b, groups())
	b.Run("allowed", func(b *testing.B) { check(b, v, "user:ana view document:readme", engine.Allowed) })
	b.Run("denied", func(b *testing.B) { check(b, v, "user:zoe view document:readme", engine.Denied) })
}

// lattice has layers of groups, each in all of the next: width^layers paths.
func lattice(layers, width int) *graph {
	g := &graph{}
	g.add("document", "readme", "viewer", "group", "top", "member")
	for i := range width {
		g.add("group", "top", "member", "group", fmt.Sprintf("0-%d", i), "member")
		for j := range width {
			for layer := range layers - 1 {
				g.add("group", fmt.Sprintf("%d-%d", layer, i), "member", "group", fmt.Sprintf("%d-%d", layer+1, j), "member")
			}
		}
	}
	g.add("group", fmt.Sprintf("%d-%d", layers-1, width-1), "member", "user", "ana", "")
	return g
}

// BenchmarkCheckLattice has 10^10 paths.
func BenchmarkCheckLattice(b *testing.B) {
	g := lattice(10, 10)
	v := g.view(b, groups())
	b.Run("allowed", func(b *testing.B) { check(b, v, "user:ana view document:readme", engine.Allowed) })
	b.Run("denied", func(b *testing.B) { check(b, v, "user:zoe view document:readme", engine.Denied) })
}

func BenchmarkLookupSubjects10000Groups(b *testing.B) {
	g := subgroups(10_000)
	g.add("document", "readme", "banned", "user", "u5-5", "")
	v := g.view(b, groups())
	for _, name := range []string{"viewer", "view"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := engine.LookupSubjects(b.Context(), v, engine.SubjectsQuestion{
					Object: tuple.Object{Type: "document", ID: "readme"}, Permission: name, Type: "user"}, engine.Page{})
				if err != nil || len(p.Found) < 99_999 {
					b.Fatal(len(p.Found), err)
				}
			}
		})
	}
}

func BenchmarkLookupObjects100000(b *testing.B) {
	g := &graph{}
	for i := range 100_000 {
		g.add("document", fmt.Sprint(i), "viewer", "group", fmt.Sprint(i%100), "member")
		if i < 100 {
			g.add("group", fmt.Sprint(i), "member", "user", "ana", "")
		}
	}
	v := g.view(b, groups())
	for _, name := range []string{"viewer", "view"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := engine.LookupObjects(b.Context(), v, engine.ObjectsQuestion{Type: "document", Permission: name,
					Subject: tuple.Subject{Type: "user", ID: "ana"}}, engine.Page{})
				if err != nil || len(p.Found) != 100_000 {
					b.Fatal(len(p.Found), err)
				}
			}
		})
	}
}

// BenchmarkCheckAll asks about 1,000 users of 300 groups in one batch.
func BenchmarkCheckAll(b *testing.B) {
	v := subgroups(300).view(b, groups())
	var questions []engine.Question
	for i := range 1000 {
		questions = append(questions, question(b, fmt.Sprintf("user:u%d-%d view document:readme", i%400, i%10)))
	}
	b.ReportAllocs()
	for b.Loop() {
		results, err := engine.CheckAll(b.Context(), v, questions)
		if err != nil || results[0].Answer.Outcome != engine.Allowed || results[350].Answer.Outcome != engine.Denied {
			b.Fatal(results, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(questions)), "ns/item")
}
