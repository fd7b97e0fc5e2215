package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// Numbering gives names their numbers. A store numbers its names when a schema
// is applied (storage: never reused, the same on every node); a schema that
// belongs to no store is numbered afresh by NewNumbering.
type Numbering interface {
	TypeID(name string) tuple.TypeID
	RelationID(typeName, name string) tuple.RelationID
	ConditionID(name string) tuple.ConditionID
}

// NewNumbering counts from 1 in the order of asking.
func NewNumbering() Numbering {
	return &counting{
		types:      map[string]tuple.TypeID{},
		relations:  map[[2]string]tuple.RelationID{},
		conditions: map[string]tuple.ConditionID{},
	}
}

type counting struct {
	types      map[string]tuple.TypeID
	relations  map[[2]string]tuple.RelationID
	conditions map[string]tuple.ConditionID
}

func (c *counting) TypeID(name string) tuple.TypeID { return next(c.types, name) }

func (c *counting) RelationID(typeName, name string) tuple.RelationID {
	return next(c.relations, [2]string{typeName, name})
}

func (c *counting) ConditionID(name string) tuple.ConditionID { return next(c.conditions, name) }

func next[K comparable, N ~uint32](given map[K]N, name K) N {
	if id, ok := given[name]; ok {
		return id
	}
	id := N(len(given) + 1)
	given[name] = id
	return id
}
