package openfga

import (
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// world is all models of one import together: what names mean.
type world struct {
	report     *dialect.Reporter
	models     []*model
	types      map[string]*worldType
	conditions map[string]*conditionDef
	order      []*worldType
	members    int // relations of all types so far
}

// worldType is a type with what all modules say of it.
type worldType struct {
	def       *typeDef
	relations map[string]*relationDef
	order     []*relationDef
}

// newWorld gathers the names of all models and refuses those given twice.
func newWorld(models []*model, report *dialect.Reporter) *world {
	w := &world{report: report, models: models, types: map[string]*worldType{}, conditions: map[string]*conditionDef{}}
	for _, m := range models {
		for _, t := range m.types {
			w.define(t)
		}
		for _, c := range m.conditions {
			if other := w.conditions[c.name.Text]; other != nil {
				w.twice(c.name, "condition", other.name.Place)
				continue
			}
			w.conditions[c.name.Text] = c
		}
	}
	for _, m := range models {
		for _, t := range m.types {
			w.relations(t)
		}
	}
	return w
}

func (w *world) refuse(code string, n name, message, suggestion string) {
	w.report.Refuse(code, n.Place, len([]rune(n.Text)), message, suggestion)
}

func (w *world) twice(n name, what string, first source.Place) {
	w.refuse("duplicate", n, fmt.Sprintf("the %s %s is defined twice", what, tuple.Clip(n.Text)), "it is first defined at "+first.String())
}

func (w *world) define(t *typeDef) {
	if t.extend {
		return
	}
	if other := w.types[t.name.Text]; other != nil {
		w.twice(t.name, "type", other.def.name.Place)
		return
	}
	info := &worldType{def: t, relations: map[string]*relationDef{}}
	w.types[t.name.Text] = info
	w.order = append(w.order, info)
}

func (w *world) relations(t *typeDef) {
	info := w.types[t.name.Text]
	if info == nil {
		w.refuse("unknown_type", t.name, fmt.Sprintf("the type %s that is extended is not defined in any module", tuple.Clip(t.name.Text)), w.near(t.name.Text))
		return
	}
	for _, r := range t.relations {
		if w.members++; w.members > dialect.MaxMembers {
			w.refuse("too_large", r.name, fmt.Sprintf("the model has more than %d relations", dialect.MaxMembers), "")
			return
		}
		if other := info.relations[r.name.Text]; other != nil {
			w.twice(r.name, "relation", other.name.Place)
			continue
		}
		info.relations[r.name.Text] = r
		info.order = append(info.order, r)
	}
}

// relation returns a relation of a type, or nil.
func (w *world) relation(typ, relation string) *relationDef {
	if t := w.types[typ]; t != nil {
		return t.relations[relation]
	}
	return nil
}

// near suggests the type whose name is closest to one that is unknown.
func (w *world) near(text string) string {
	return dialect.Suggest(w.report, text, w.order, func(t *worldType) string { return t.def.name.Text })
}

// nearRelation does so for a relation of a type.
func (w *world) nearRelation(t *worldType, text string) string {
	return dialect.Suggest(w.report, text, t.order, func(r *relationDef) string { return r.name.Text })
}

// uses says whether a rewrite reads the tuples of the relation itself.
func (r *rewrite) uses(op operator) bool {
	return r.operator == op || slices.ContainsFunc(r.operands, func(o *rewrite) bool { return o.uses(op) })
}
