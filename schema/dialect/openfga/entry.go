package openfga

import "fmt"

// checkEntries refuses relations that no subject could ever have: those for
// which every way through the model leads back to themselves. A difference needs
// an entry on both of its sides, as OpenFGA judges it.
//
// It is a least fixpoint: a relation has an entry once its rewrite has, given
// those that already have. Every round either finds one more or ends it; the
// work list visits a relation again only when one that it refers to was found.
// Those on cycles have been refused already.
func (w *world) checkEntries(cyclic map[*relationDef]bool) {
	type key struct{ typ, relation string }
	has := map[key]bool{}
	readers := map[key][]key{}
	steps := 0
	var entry func(at key, e *rewrite) bool
	entry = func(at key, e *rewrite) bool {
		known := func(typ, relation string) bool {
			steps++
			k := key{typ, relation}
			if !has[k] {
				readers[k] = append(readers[k], at)
			}
			return has[k]
		}
		switch e.operator {
		case this:
			for _, d := range w.relation(at.typ, at.relation).direct {
				if d.relation.Text == "" || known(d.typ.Text, d.relation.Text) {
					return true
				}
			}
			return false
		case computed:
			return known(at.typ, e.relation.Text)
		case fromTupleset:
			for _, d := range w.relation(at.typ, e.tupleset.Text).direct {
				if w.relation(d.typ.Text, e.relation.Text) != nil && known(d.typ.Text, e.relation.Text) {
					return true
				}
			}
			return false
		case union:
			for _, o := range e.operands {
				if entry(at, o) {
					return true
				}
			}
			return false
		default:
			for _, o := range e.operands {
				if !entry(at, o) {
					return false
				}
			}
			return true
		}
	}
	var work []key
	for _, t := range w.order {
		for _, r := range t.order {
			work = append(work, key{t.def.name.Text, r.name.Text})
		}
	}
	for len(work) > 0 {
		k := work[len(work)-1]
		work = work[:len(work)-1]
		if !w.report.Spend(steps, w.order[0].def.name.Place) {
			return
		}
		steps = 0
		if !has[k] && entry(k, w.relation(k.typ, k.relation).rewrite) {
			has[k] = true
			work = append(work, readers[k]...)
			delete(readers, k)
		}
	}
	for _, t := range w.order {
		for _, r := range t.order {
			if !has[key{t.def.name.Text, r.name.Text}] && !cyclic[r] {
				w.refuse("no_entry", r.name, fmt.Sprintf("no subject can ever have %s on %s: every way leads back to it", r.name.Text, t.def.name.Text),
					"let it take tuples of a type, or refer to a relation that does")
			}
		}
	}
}
