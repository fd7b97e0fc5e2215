package openfga

import (
	"fmt"
	"regexp"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// The rules on names are those of OpenFGA's API.
var (
	typeName     = regexp.MustCompile(`^[^:#@*\s]{1,254}$`)
	relationName = regexp.MustCompile(`^[^:#@*\s]{1,50}$`)
)

// validate refuses what OpenFGA itself refuses: the rules that only its dialect
// knows are kept here, never in Pemba's language.
func (w *world) validate() {
	for _, t := range w.order {
		w.checkName(t.def.name, "type", typeName.MatchString(t.def.name.Text))
		for _, r := range t.order {
			w.checkName(r.name, "relation", relationName.MatchString(r.name.Text))
			w.checkDirect(t, r)
			if r.rewrite != nil {
				w.checkRewrite(t, r, r.rewrite)
			}
		}
	}
	for _, m := range w.models {
		for _, c := range m.conditions {
			w.checkCondition(c)
		}
	}
	if w.report.Failed() {
		return // what follows walks references, which must hold
	}
	cyclic := map[*relationDef]bool{}
	for _, t := range w.order {
		w.checkCycles(t, cyclic)
	}
	w.checkEntries(cyclic)
}

func (w *world) checkName(n name, what string, ok bool) {
	if n.Text == "self" || n.Text == "this" {
		w.refuse("reserved_name", n, fmt.Sprintf("a %s cannot be named %s", what, n.Text), "self and this are reserved")
	} else if !ok {
		w.refuse("bad_name", n, fmt.Sprintf("%q is no name for a %s", tuple.Clip(n.Text), what), "names have no white space, :, #, @ or *, and a bounded length")
	}
}

// checkDirect checks the type restrictions of a relation.
func (w *world) checkDirect(t *worldType, r *relationDef) {
	seen := map[string]bool{}
	for _, d := range r.direct {
		if seen[d.String()] {
			w.refuse("duplicate", d.typ, fmt.Sprintf("the type restriction %s stands twice in %s#%s", d, t.def.name.Text, r.name.Text), "remove one of them")
		}
		seen[d.String()] = true
		other := w.types[d.typ.Text]
		switch {
		case other == nil:
			w.refuse("unknown_type", d.typ, fmt.Sprintf("the type %s is not defined", tuple.Clip(d.typ.Text)), w.near(d.typ.Text))
		case d.relation.Text != "" && other.relations[d.relation.Text] == nil:
			w.refuse("unknown_relation", d.relation, fmt.Sprintf("type %s has no relation %s", d.typ.Text, tuple.Clip(d.relation.Text)), w.nearRelation(other, d.relation.Text))
		}
		if d.condition.Text != "" && w.conditions[d.condition.Text] == nil {
			w.refuse("unknown_condition", d.condition, fmt.Sprintf("the condition %s is not defined", tuple.Clip(d.condition.Text)), "")
		}
	}
	if r.rewrite == nil {
		return
	}
	direct := r.rewrite.uses(this)
	if direct && len(r.direct) == 0 {
		w.refuse("no_restriction", r.name, fmt.Sprintf("the relation %s takes tuples but names no types for them", tuple.Clip(r.name.Text)), "give its type restrictions")
	}
	if !direct && len(r.direct) > 0 {
		w.refuse("no_direct", r.name, fmt.Sprintf("the relation %s names types for tuples that it does not take", tuple.Clip(r.name.Text)), "")
	}
}

// checkRewrite checks what a rewrite refers to.
func (w *world) checkRewrite(t *worldType, r *relationDef, e *rewrite) {
	switch e.operator {
	case computed:
		switch {
		case t.relations[e.relation.Text] == nil:
			w.refuse("unknown_relation", e.relation, fmt.Sprintf("type %s has no relation %s", t.def.name.Text, tuple.Clip(e.relation.Text)), w.nearRelation(t, e.relation.Text))
		case e.relation.Text == r.name.Text:
			w.refuse("self_reference", e.relation, fmt.Sprintf("the relation %s is defined by itself", r.name.Text), "")
		}
	case fromTupleset:
		w.checkArrow(t, e)
	}
	for _, o := range e.operands {
		w.checkRewrite(t, r, o)
	}
}

// checkArrow checks "relation from tupleset": the tupleset takes tuples and
// nothing else, of objects alone, and some of them have the relation.
func (w *world) checkArrow(t *worldType, e *rewrite) {
	tupleset := t.relations[e.tupleset.Text]
	if tupleset == nil {
		w.refuse("unknown_relation", e.tupleset, fmt.Sprintf("type %s has no relation %s", t.def.name.Text, tuple.Clip(e.tupleset.Text)), w.nearRelation(t, e.tupleset.Text))
		return
	}
	if tupleset.rewrite == nil {
		return // reported where it is defined
	}
	if tupleset.rewrite.operator != this {
		w.refuse("indirect_tupleset", e.tupleset, fmt.Sprintf("%s stands behind from, but it is not defined by type restrictions alone", e.tupleset.Text),
			"OpenFGA walks only relations that are written directly")
		return
	}
	found := false
	if !w.report.Spend(len(tupleset.direct), e.tupleset.Place) {
		return
	}
	for _, d := range tupleset.direct {
		if d.wildcard || d.relation.Text != "" {
			w.refuse("indirect_tupleset", e.tupleset, fmt.Sprintf("%s stands behind from, but it takes %s, which is no object", e.tupleset.Text, d),
				"OpenFGA walks only relations to objects")
			return
		}
		found = found || w.relation(d.typ.Text, e.relation.Text) != nil
	}
	if !found {
		w.refuse("unknown_relation", e.relation, fmt.Sprintf("no type that %s leads to has a relation %s", e.tupleset.Text, tuple.Clip(e.relation.Text)), "")
	}
}

// checkCycles refuses relations of a type that are defined by themselves through
// other relations of it; one relation of every cycle is named, all are marked.
func (w *world) checkCycles(t *worldType, cyclic map[*relationDef]bool) {
	var path []*relationDef
	const open, closed = 1, 2
	state := map[string]int{}
	var visit func(r *relationDef)
	var walk func(e *rewrite)
	walk = func(e *rewrite) {
		if e.operator == computed {
			visit(t.relations[e.relation.Text])
		}
		for _, o := range e.operands {
			walk(o)
		}
	}
	visit = func(r *relationDef) {
		switch state[r.name.Text] {
		case open:
			for i := len(path) - 1; i >= 0; i-- {
				if cyclic[path[i]] = true; path[i] == r {
					break
				}
			}
			w.refuse("cycle", r.name, fmt.Sprintf("the relation %s is defined by itself through other relations of %s", r.name.Text, t.def.name.Text), "")
		case closed:
		default:
			state[r.name.Text] = open
			path = append(path, r)
			walk(r.rewrite)
			path = path[:len(path)-1]
			state[r.name.Text] = closed
		}
	}
	for _, r := range t.order {
		visit(r)
	}
}
