package schema

import (
	"slices"

	"github.com/pemba-authz/pemba/schema/ast"
)

// admission makes the table that apply reads, in the order of the source.
func (c *compiler) admission() *Admission {
	a := &Admission{Language: ast.Language, Refuse: c.refuse, Types: make([]AdmissionType, len(c.typeOrder))}
	types := make(map[uint32]string, len(c.typeOrder))
	for _, t := range c.typeOrder {
		types[uint32(t.ID)] = t.Name
	}
	relations := make(map[uint32]string, len(c.relations))
	for _, r := range c.relations {
		relations[uint32(r.ID)] = r.Name
	}
	conditions := make(map[uint32]string, len(c.conditionList))
	for _, condition := range c.conditionList {
		conditions[uint32(condition.ID)] = condition.Name
		a.Conditions = append(a.Conditions, admittedCondition(condition))
	}
	for i, t := range c.typeOrder {
		out := AdmissionType{Name: t.Name, Singleton: t.Singleton, Relations: make([]AdmissionRelation, len(t.Relations))}
		for j, r := range t.Relations {
			row := AdmissionRelation{Name: r.Name, Permission: r.Permission, AtMost: r.AtMost}
			for _, s := range r.Shapes {
				row.Shapes = append(row.Shapes, AdmissionShape{Type: types[uint32(s.Type)], Relation: relations[uint32(s.Relation)],
					Wildcard: s.Wildcard, Condition: conditions[uint32(s.Condition)], Expiry: s.Expiry})
			}
			for id := range r.Sealed {
				row.Sealed = append(row.Sealed, id)
			}
			slices.Sort(row.Sealed)
			out.Relations[j] = row
		}
		a.Types[i] = out
	}
	return a
}

func admittedCondition(c *Condition) AdmissionCondition {
	out := AdmissionCondition{Name: c.Name, Params: []AdmissionParam{}}
	if c.Program == nil {
		return out
	}
	for _, p := range c.Program.Params {
		out.Params = append(out.Params, AdmissionParam{Name: p.Name, Type: p.Type})
	}
	return out
}
