package engine

import (
	"context"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// LookupPermissions answers what a subject has on an object: an entry for every
// relation and permission of the object's type, in the order of the schema. An
// error on any of them is the lookup's.
func LookupPermissions(ctx context.Context, v View, o tuple.Object, s tuple.Subject) ([]FoundPermission, error) {
	e, err := begin(ctx, &v)
	if err != nil {
		return nil, err
	}
	defer e.end()
	t, err := e.typeNamed(o.Type)
	if err != nil {
		return nil, err
	}
	found := make([]FoundPermission, 0, len(t.Relations))
	for _, r := range t.Relations {
		a, err := e.check(&Question{Object: o, Permission: r.Name, Subject: s})
		if err != nil {
			return nil, err
		}
		found = append(found, FoundPermission{Name: r.Name, Permission: r.Permission, Answer: a})
	}
	return found, nil
}
