package schema

import (
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Condition is a named, typed CEL expression that tuples carry.
type Condition struct {
	ID      tuple.ConditionID
	Name    string
	Doc     string
	Program *condition.Program
	Place   source.Place
}
