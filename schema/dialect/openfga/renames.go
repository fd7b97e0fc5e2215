package openfga

import "fmt"

// checkRenames reports names that Pemba cannot hold as they are, and refuses two
// names that would become one.
func (w *world) checkRenames() {
	types := map[string]name{}
	for _, t := range w.order {
		w.renamed(types, t.def.name, TypeName(t.def.name.Text), "type")
		relations := map[string]name{}
		for _, r := range t.order {
			w.renamed(relations, r.name, RelationName(r.name.Text), "relation")
		}
	}
	conditions := map[string]name{}
	for _, m := range w.models {
		for _, c := range m.conditions {
			w.renamed(conditions, c.name, ConditionName(c.name.Text), "condition")
		}
	}
}

func (w *world) renamed(taken map[string]name, n name, to, what string) {
	if other, ok := taken[to]; ok {
		w.refuse("name_collision", n, fmt.Sprintf("the %ss %s and %s would both be named %s", what, other.Text, n.Text, to), "rename one of them")
	}
	taken[to] = n
	if to != n.Text {
		w.report.Note("renamed", n.Place, len([]rune(n.Text)), fmt.Sprintf("the %s %s is named %s: Pemba's names hold letters, digits, _ and inner -", what, n.Text, to), "")
	}
}
