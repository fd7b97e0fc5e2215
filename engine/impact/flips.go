package impact

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Flips yields every decision that differs, without a request's context, in the
// order of objects, permissions and subjects; an error ends it. What the change
// cannot affect by its meaning is not asked.
func (c *Comparison) Flips(ctx context.Context) iter.Seq2[Flip, error] {
	return func(yield func(Flip, error) bool) {
		subjectTypes := names(c.before.Schema.Types, c.after.Schema.Types, func(t *schema.Type) string { return t.Name })
		for _, o := range c.objects {
			for _, permission := range c.permissions(o.Type) {
				for _, typ := range subjectTypes {
					flips, err := c.compare(ctx, o, permission, typ)
					if err != nil {
						yield(Flip{}, err)
						return
					}
					for _, f := range flips {
						if !yield(f, nil) {
							return
						}
					}
				}
			}
		}
	}
}

// permissions lists the names of a type, on either side, that may differ.
func (c *Comparison) permissions(typ string) []string {
	var before, after []*schema.Relation
	if t := c.before.Schema.Type(typ); t != nil {
		before = t.Relations
	}
	if t := c.after.Schema.Type(typ); t != nil {
		after = t.Relations
	}
	all := names(before, after, func(r *schema.Relation) string { return r.Name })
	return slices.DeleteFunc(all, func(name string) bool { return !c.affected.Has(typ, name) })
}

// names are the names on either side, sorted, each once.
func names[T any](before, after []T, name func(T) string) []string {
	set := map[string]bool{}
	for _, list := range [][]T{before, after} {
		for _, t := range list {
			set[name(t)] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

func (c *Comparison) compare(ctx context.Context, o tuple.Object, permission, typ string) ([]Flip, error) {
	question := engine.SubjectsQuestion{Object: o, Permission: permission, Type: typ}
	before, err := decisionsOf(ctx, c.before, question)
	if err != nil {
		return nil, err
	}
	after, err := decisionsOf(ctx, c.after, question)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{tuple.Wildcard: true}
	for _, side := range []decisions{before, after} {
		for id := range side.named {
			ids[id] = true
		}
	}
	var flips []Flip
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if was, is := before.of(id), after.of(id); was != is {
			flips = append(flips, Flip{o, permission, tuple.Subject{Type: typ, ID: id}, was, is})
		}
	}
	return flips, nil
}

// decisions is who has a permission on one object.
type decisions struct {
	named  map[string]engine.Outcome
	others engine.Outcome
}

func (d decisions) of(id string) engine.Outcome {
	if outcome, ok := d.named[id]; ok {
		return outcome
	}
	return d.others
}

// decisionsOf asks one side. Where it lacks the type or the name, nobody has it.
func decisionsOf(ctx context.Context, v engine.View, q engine.SubjectsQuestion) (decisions, error) {
	d := decisions{named: map[string]engine.Outcome{}}
	t := v.Schema.Type(q.Object.Type)
	if t == nil || t.Relation(q.Permission) == nil || v.Schema.Type(q.Type) == nil ||
		t.Singleton != "" && t.Singleton != q.Object.ID {
		return d, nil
	}
	for found, err := range engine.StreamSubjects(ctx, v, q, "") {
		if err != nil {
			return d, err
		}
		if found.Subject.IsWildcard() {
			d.others = found.Answer.Outcome
		} else {
			d.named[found.Subject.ID] = found.Answer.Outcome
		}
	}
	return d, nil
}
