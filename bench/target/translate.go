package target

import (
	"fmt"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

// compiled returns a dataset's schema, where it is one that other servers can say
// too: relations without a rewrite beside the brackets, and permissions of names,
// arrows, or, and, except.
func compiled(d dataset.Dataset) (*schema.Schema, error) {
	m, err := schema.Compile([]source.File{{Name: d.Name() + ".pemba", Text: d.Schema()}}, schema.NewNumbering())
	if err != nil {
		return nil, err
	}
	for _, t := range m.Schema.Types {
		for _, r := range t.Relations {
			if err := translatable(t, r); err != nil {
				return nil, err
			}
		}
	}
	return m.Schema, nil
}

func translatable(t *schema.Type, r *schema.Relation) error {
	refuse := func(what string) error {
		return unsupported(fmt.Sprintf("%s#%s has %s, which is not translated for other servers", t.Name, r.Name, what))
	}
	if len(t.Acts) > 0 {
		return refuse("acts for")
	}
	if r.Sealed != nil {
		return refuse("sealed members")
	}
	if !r.Permission && r.Rewrite.Kind != schema.Direct {
		return refuse("a rewrite beside its brackets")
	}
	for _, s := range r.Shapes {
		if s.Condition != 0 || s.Expiry != schema.ExpiryNever {
			return refuse("a condition or an expiry")
		}
	}
	var visit func(x *schema.Expr) error
	visit = func(x *schema.Expr) error {
		switch x.Kind {
		case schema.Every, schema.Fixed, schema.Self, schema.Nobody:
			return refuse("every, a fixed userset, self or nobody")
		}
		for _, o := range x.Operands {
			if err := visit(o); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(r.Rewrite)
}

// arrowName is the name that an arrow reads on the other side.
func arrowName(s *schema.Schema, x *schema.Expr) string {
	return s.Relation(x.Targets[0].Relation).Name
}
