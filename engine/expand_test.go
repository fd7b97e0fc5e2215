package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// flattened evaluates an expanded tree for one subject, again in the plainest
// way: every node of the tree is a ground atom of an alternating fixpoint.
type flattened struct {
	nodes   []*engine.Tree
	opened  map[string]*engine.Tree // the node that opens each userset
	subject tuple.Subject
}

type treeModel map[*engine.Tree]verdict

func flatten(root *engine.Tree) *flattened {
	f := &flattened{opened: map[string]*engine.Tree{}}
	var visit func(t *engine.Tree)
	visit = func(t *engine.Tree) {
		f.nodes = append(f.nodes, t)
		if t.Kind == engine.TreeUserset && !t.Back && !t.Cut {
			f.opened[t.Object.String()+"#"+t.Relation] = t
		}
		for _, c := range t.Children {
			visit(c)
		}
	}
	visit(root)
	return f
}

func (f *flattened) verdict(root *engine.Tree, s tuple.Subject) verdict {
	f.subject = s
	lower := treeModel{}
	var upper treeModel
	for {
		upper = f.least(lower)
		next := f.least(upper)
		same := maps.EqualFunc(next, lower, func(a, b verdict) bool { return a.truth == b.truth })
		lower = next
		if same {
			break
		}
	}
	for changed := true; changed; {
		changed = false
		for _, t := range f.nodes {
			changed = f.grow(t, lower, upper) || changed
			changed = f.grow(t, upper, lower) || changed
		}
	}
	return lower[root]
}

func (f *flattened) grow(t *engine.Tree, m, other treeModel) bool {
	v := f.value(t, m, other)
	if v.truth != 1 || len(v.causes) == len(m[t].causes) {
		return false
	}
	m[t] = v
	return true
}

func (f *flattened) least(other treeModel) treeModel {
	m := treeModel{}
	for changed := true; changed; {
		changed = false
		for _, t := range f.nodes {
			if v := f.value(t, m, other); v.truth > m[t].truth {
				m[t] = verdict{truth: v.truth}
				changed = true
			}
		}
	}
	return m
}

func ofAnswer(a engine.Answer) verdict {
	switch a.Outcome {
	case engine.Allowed:
		return known(true)
	case engine.Conditional:
		v := verdict{truth: 1, causes: map[string]bool{}}
		for _, m := range a.Missing {
			v.causes[m] = true
		}
		return v
	}
	return known(false)
}

func (f *flattened) value(t *engine.Tree, m, other treeModel) verdict {
	var children []verdict
	for i, c := range t.Children {
		v := m[c]
		if t.Kind == engine.TreeExclusion && i == 1 {
			v = other[c].not()
		}
		if c.Via != nil {
			v = allVerdicts([]verdict{ofAnswer(c.Via.Answer), v})
		}
		children = append(children, v)
	}
	switch t.Kind {
	case engine.TreeUserset:
		if f.subject == (tuple.Subject{Type: t.Object.Type, ID: t.Object.ID, Relation: t.Relation}) {
			return known(true)
		}
		if t.Back {
			return m[f.opened[t.Object.String()+"#"+t.Relation]]
		}
		return anyVerdict(children)
	case engine.TreeTuples, engine.TreeSealed:
		for _, l := range t.Leaves {
			s := l.Tuple.Subject
			if s == f.subject || s.IsWildcard() && s.Type == f.subject.Type && f.subject.Relation == "" {
				children = append(children, ofAnswer(l.Answer))
			}
		}
		return anyVerdict(children)
	case engine.TreeUnion, engine.TreeArrow:
		return anyVerdict(children)
	case engine.TreeIntersection, engine.TreeExclusion:
		return allVerdicts(children)
	case engine.TreeEvery:
		if len(children) == 0 {
			return known(false)
		}
		return allVerdicts(children)
	case engine.TreeSelf:
		return known(f.subject == tuple.Subject{Type: t.Object.Type, ID: t.Object.ID})
	}
	return known(false)
}

// compareExpand holds the tree of a name to the reference, for every subject
// that acts for nobody.
func compareExpand(t *testing.T, seed uint64, w *world, r *reference) int {
	t.Helper()
	o := pick(w, w.objects)
	if o.Type == "user" {
		return 0
	}
	name := pick(w, w.names[o.Type])
	tree, err := engine.Expand(t.Context(), w.view(), o, name, engine.ExpandOptions{})
	if err != nil {
		var failed *engine.ConditionError
		if !errors.As(err, &failed) {
			t.Errorf("seed %d: expand %s#%s: %v\n%s", seed, o, name, err, w)
		}
		return 0
	}
	f := flatten(tree)
	asked := 0
	for _, s := range w.subjects {
		if len(w.schema.Type(s.Type).Acts) > 0 || w.chance(60) {
			continue
		}
		asked++
		if got, want := f.verdict(tree, s).String(), r.said(o, name, s); got != want {
			t.Errorf("seed %d: the tree of %s#%s says %s of %s, want %s\n%s\n%s", seed, o, name, got, s, want, treeText(tree, ""), w)
			return asked
		}
	}
	return asked
}

func treeText(t *engine.Tree, indent string) string {
	text := fmt.Sprintf("%s%s %s#%s back=%v", indent, t.Kind, t.Object, t.Relation, t.Back)
	if t.Via != nil {
		text += " via " + t.Via.Tuple.String()
	}
	for _, l := range t.Leaves {
		text += " [" + l.Tuple.String() + "]"
	}
	text += "\n"
	for _, c := range t.Children {
		text += treeText(c, indent+"  ")
	}
	return text
}
