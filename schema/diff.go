package schema

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pemba-authz/pemba/schema/source"
)

// Effect says what a change does to decisions, whatever the tuples are.
type Effect string

const (
	NoEffect    Effect = "none"        // no decision differs
	GrantsMore  Effect = "grants_more" // nobody loses, somebody may gain
	GrantsLess  Effect = "grants_less" // nobody gains, somebody may lose
	GrantsOther Effect = "grants_other"
)

// and is the effect of two changes together.
func (e Effect) and(f Effect) Effect {
	switch {
	case e == NoEffect || e == f:
		return f
	case f == NoEffect:
		return e
	default:
		return GrantsOther
	}
}

// reversed is the effect under the right of an exclusion.
func (e Effect) reversed() Effect {
	switch e {
	case GrantsMore:
		return GrantsLess
	case GrantsLess:
		return GrantsMore
	default:
		return e
	}
}

// Change is one difference of meaning between two schemas.
type Change struct {
	Code     string // stable: type_added, shape_removed, rewrite_changed, …
	Name     string // what changed: document, document#viewer, condition from_office
	Detail   string // from what to what
	Breaking bool   // tuples, writes or questions that were good may be refused now
	Effect   Effect
	Place    source.Place // in the new schema; in the old one where the new has nothing
}

// Diff returns every difference of meaning between two schemas, by name: breaking
// ones first, then in the order of names. Comments, order and layout are none.
func Diff(old, new *Schema) []Change {
	d := differ{old: old, new: new}
	d.types()
	d.conditions()
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Detail, b.Detail))
	})
	return d.changes
}

func rank(c Change) int {
	if c.Breaking {
		return 0
	}
	return 1
}

type differ struct {
	old, new *Schema
	changes  []Change
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

func (d *differ) types() {
	for _, t := range d.old.Types {
		if d.new.Type(t.Name) == nil {
			d.add(Change{Code: "type_removed", Name: t.Name, Breaking: true, Effect: GrantsLess, Place: t.Place})
		}
	}
	for _, t := range d.new.Types {
		was := d.old.Type(t.Name)
		if was == nil {
			d.add(Change{Code: "type_added", Name: t.Name, Effect: GrantsMore, Place: t.Place})
			continue
		}
		if was.Singleton != t.Singleton {
			d.add(Change{Code: "singleton_changed", Name: t.Name, Detail: fmt.Sprintf("from %s to %s", singletonText(was), singletonText(t)),
				Breaking: t.Singleton != "", Effect: GrantsOther, Place: t.Place})
		}
		d.relations(was, t)
		d.acts(was, t)
	}
}

func singletonText(t *Type) string {
	if t.Singleton == "" {
		return "many objects"
	}
	return "singleton " + t.Name + ":" + t.Singleton
}

func (d *differ) relations(old, new *Type) {
	for _, r := range old.Relations {
		if new.Relation(r.Name) == nil {
			d.add(Change{Code: kindName(r) + "_removed", Name: qualified(r), Breaking: true, Effect: GrantsLess, Place: r.Place})
		}
	}
	for _, r := range new.Relations {
		was := old.Relation(r.Name)
		switch {
		case was == nil:
			d.add(Change{Code: kindName(r) + "_added", Name: qualified(r), Effect: GrantsMore, Place: r.Place})
		case was.Permission != r.Permission:
			d.add(Change{Code: "kind_changed", Name: qualified(r), Detail: fmt.Sprintf("from a %s to a %s", kindName(was), kindName(r)),
				Breaking: r.Permission, Effect: GrantsOther, Place: r.Place})
		default:
			d.relation(was, r)
		}
	}
}

func kindName(r *Relation) string {
	if r.Permission {
		return "permission"
	}
	return "relation"
}

func (d *differ) relation(old, new *Relation) {
	change := func(code, detail string, breaking bool, effect Effect) {
		d.add(Change{Code: code, Name: qualified(new), Detail: detail, Breaking: breaking, Effect: effect, Place: new.Place})
	}
	before, after := d.shapeTexts(d.old, old), d.shapeTexts(d.new, new)
	for _, s := range missing(before, after) {
		change("shape_removed", s, true, GrantsLess)
	}
	for _, s := range missing(after, before) {
		change("shape_added", s, false, GrantsMore)
	}
	if old.AtMost != new.AtMost {
		tighter := new.AtMost != 0 && (old.AtMost == 0 || new.AtMost < old.AtMost)
		change("at_most_changed", fmt.Sprintf("from %s to %s", limitText(old), limitText(new)), tighter, NoEffect)
	}
	if effect := d.compare(old.Rewrite, new.Rewrite); effect != NoEffect {
		change("rewrite_changed", fmt.Sprintf("from %s to %s", d.old.Text(old, old.Rewrite), d.new.Text(new, new.Rewrite)), false, effect)
	}
	for _, id := range slices.Sorted(maps.Keys(old.Sealed)) {
		if _, still := new.Sealed[id]; !still {
			change("unsealed", new.Type.Name+":"+id, false, GrantsOther)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(new.Sealed)) {
		was, sealed := old.Sealed[id]
		to := d.new.SealedText(new.Sealed[id])
		if !sealed {
			change("sealed", new.Type.Name+":"+id+" to "+to, true, GrantsOther)
		} else if from := d.old.SealedText(was); from != to {
			change("sealed_changed", fmt.Sprintf("%s:%s from %s to %s", new.Type.Name, id, from, to), false, GrantsOther)
		}
	}
	if old.Deprecated != new.Deprecated {
		change("deprecation_changed", new.Deprecated, false, NoEffect)
	}
}

func limitText(r *Relation) string {
	if r.AtMost == 0 {
		return "no limit"
	}
	return fmt.Sprintf("at most %d", r.AtMost)
}

func (d *differ) shapeTexts(s *Schema, r *Relation) []string {
	texts := make([]string, len(r.Shapes))
	for i, shape := range r.Shapes {
		texts[i] = s.ShapeText(shape)
	}
	return texts
}

// missing lists what is in a and not in b.
func missing(a, b []string) []string {
	there := make(map[string]bool, len(b))
	for _, s := range b {
		there[s] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return there[s] })
}

func (d *differ) acts(old, new *Type) {
	before, after := actsTexts(d.old, old), actsTexts(d.new, new)
	for _, a := range missing(before, after) {
		d.add(Change{Code: "acts_removed", Name: new.Name, Detail: a, Effect: GrantsOther, Place: new.Place})
	}
	for _, a := range missing(after, before) {
		d.add(Change{Code: "acts_added", Name: new.Name, Detail: a, Effect: GrantsOther, Place: new.Place})
	}
}

func actsTexts(s *Schema, t *Type) []string {
	var texts []string
	for _, a := range t.Acts {
		for id := range a.Permissions {
			texts = append(texts, fmt.Sprintf("for %s on %s { %s }", s.Relation(a.Owner).Name, s.TypeByID(a.On).Name, s.Relation(id).Name))
		}
	}
	slices.Sort(texts)
	return texts
}

func (d *differ) conditions() {
	for _, c := range d.old.Conditions {
		if c != nil && d.new.ConditionNamed(c.Name) == nil {
			d.add(Change{Code: "condition_removed", Name: "condition " + c.Name, Breaking: true, Effect: GrantsLess, Place: c.Place})
		}
	}
	for _, c := range d.new.Conditions {
		if c == nil {
			continue
		}
		was := d.old.ConditionNamed(c.Name)
		if was == nil {
			d.add(Change{Code: "condition_added", Name: "condition " + c.Name, Effect: NoEffect, Place: c.Place})
			continue
		}
		if from, to := paramsText(was), paramsText(c); from != to {
			d.add(Change{Code: "parameters_changed", Name: "condition " + c.Name, Detail: fmt.Sprintf("from (%s) to (%s)", from, to),
				Breaking: true, Effect: GrantsOther, Place: c.Place})
		}
		if was.Program.Source != c.Program.Source {
			d.add(Change{Code: "expression_changed", Name: "condition " + c.Name, Effect: GrantsOther, Place: c.Place})
		}
	}
}

func paramsText(c *Condition) string {
	text := ""
	for i, p := range c.Program.Params {
		if i > 0 {
			text += ", "
		}
		text += p.Name + ": " + p.Type
	}
	return text
}
