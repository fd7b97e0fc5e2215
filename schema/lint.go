package schema

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// lint warns of what compiles and is probably not meant.
func lint(m *Module) source.Diagnostics {
	l := linter{module: m, schema: m.Schema}
	l.unusedRelations()
	l.unusedParameters()
	l.unreachablePermissions()
	l.grantingExpiry()
	excerpt := source.Excerpts(m.Files)
	for _, d := range l.found {
		d.Severity = source.Warning
		d.Excerpt = excerpt(d.Place)
	}
	return l.found
}

type linter struct {
	module *Module
	schema *Schema
	found  source.Diagnostics
}

func (l *linter) warn(r *Relation, code, suggestion, format string, args ...any) {
	l.found = append(l.found, &source.Diagnostic{
		Code: code, Place: r.Place, Width: len(r.Name), Suggestion: suggestion, Message: fmt.Sprintf(format, args...),
	})
}

// unusedParameters warns of parameters that their condition does not read.
func (l *linter) unusedParameters() {
	for _, c := range l.schema.Conditions {
		if c == nil || c.Program == nil {
			continue
		}
		for _, name := range c.Program.Unused() {
			l.found = append(l.found, &source.Diagnostic{Code: "unused_parameter", Place: c.Place, Width: len(c.Name),
				Message: fmt.Sprintf("condition %s does not read its parameter %s", c.Name, name), Suggestion: "read it, or remove it"})
		}
	}
}

// unusedRelations warns of relations that nothing reads, in types that have
// permissions: there a relation is a means, and questions are asked of permissions.
func (l *linter) unusedRelations() {
	used := make([]bool, len(l.schema.Relations))
	for _, t := range l.schema.Types {
		for _, r := range t.Relations {
			for _, id := range r.reads() {
				used[id] = true
			}
		}
		for _, a := range t.Acts {
			used[a.Owner] = true
			for id := range a.Permissions {
				used[id] = true
			}
		}
	}
	for _, c := range l.module.Claims {
		used[c.Left], used[c.Right] = true, true
	}
	for _, test := range l.module.Tests {
		for _, a := range test.Assertions {
			l.markAsserted(used, a)
		}
	}
	for _, t := range l.schema.Types {
		if !t.hasPermissions() {
			continue
		}
		for _, r := range t.Relations {
			if !r.Permission && !used[r.ID] && r.Deprecated == "" {
				l.warn(r, "unused_relation", "use it in a permission, claim or test, or remove it",
					"nothing reads the relation %s", qualified(r))
			}
		}
	}
}

func (l *linter) markAsserted(used []bool, a *Assertion) {
	for _, o := range a.Objects {
		t := l.schema.Type(o.Type)
		if t == nil {
			continue
		}
		for _, name := range a.Names {
			if r := t.Relation(name); r != nil {
				used[r.ID] = true
			}
		}
	}
}

func (t *Type) hasPermissions() bool {
	for _, r := range t.Relations {
		if r.Permission {
			return true
		}
	}
	return false
}

// reads lists every relation that a relation's definition names, wherever.
func (r *Relation) reads() []tuple.RelationID {
	ids := r.grantedBy()
	r.Rewrite.walk(func(e *Expr) {
		switch e.Kind {
		case Computed, Fixed, Arrow, Every:
			ids = append(ids, e.Relation)
			for _, t := range e.Targets {
				ids = append(ids, t.Relation)
			}
		}
	})
	return ids
}

// walk calls f for the expression and all its operands.
func (e *Expr) walk(f func(*Expr)) {
	f(e)
	for _, o := range e.Operands {
		o.walk(f)
	}
}

// unreachablePermissions warns of permissions that no tuples could ever grant.
func (l *linter) unreachablePermissions() {
	types := computeSubjectTypes(l.schema)
	for _, t := range l.schema.Types {
		for _, r := range t.Relations {
			if r.Permission && r.Rewrite.Kind != Nobody && types[r.ID].isEmpty() {
				l.warn(r, "unreachable_permission", "say nobody if that is meant",
					"nobody can ever hold the permission %s: no type of subject reaches it", qualified(r))
			}
		}
	}
}

// grantingExpiry warns where the expiry of a tuple can give somebody access:
// under the right of an except, and where every tuple counts.
func (l *linter) grantingExpiry() {
	expiring := l.expiring()
	warned := map[*Relation]bool{}
	for _, t := range l.schema.Types {
		for _, r := range t.Relations {
			r.Rewrite.walk(func(e *Expr) {
				var below tuple.RelationID
				switch e.Kind {
				case Exclusion:
					below = l.firstExpiring(r, e.Operands[1], expiring)
				case Every:
					if expiring[e.Relation] {
						below = e.Relation
					}
				}
				if below != 0 && !warned[r] {
					warned[r] = true
					l.warn(r, "expiry_grants", "leave the expiry out there, or expire what grants instead",
						"%s can be gained by an expiry: a tuple of %s that runs out no longer stands in the way",
						qualified(r), qualified(l.schema.Relation(below)))
				}
			})
		}
	}
}

// expiring marks the relations whose tuples, or the tuples below them, can expire.
func (l *linter) expiring() []bool {
	marked := make([]bool, len(l.schema.Relations))
	readBy := make([][]tuple.RelationID, len(l.schema.Relations))
	var queue []tuple.RelationID
	for _, r := range l.schema.Relations {
		if r == nil {
			continue
		}
		for _, id := range r.reads() {
			readBy[id] = append(readBy[id], r.ID)
		}
		for _, s := range r.Shapes {
			if s.Expiry != ExpiryNever && !marked[r.ID] {
				marked[r.ID] = true
				queue = append(queue, r.ID)
			}
		}
	}
	for ; len(queue) > 0; queue = queue[1:] {
		for _, id := range readBy[queue[0]] {
			if !marked[id] {
				marked[id] = true
				queue = append(queue, id)
			}
		}
	}
	return marked
}

// firstExpiring returns a relation that the expression reads and that can expire.
func (l *linter) firstExpiring(r *Relation, e *Expr, expiring []bool) tuple.RelationID {
	var found tuple.RelationID
	e.walk(func(e *Expr) {
		ids := []tuple.RelationID{e.Relation}
		if e.Kind == Direct {
			ids[0] = r.ID
		}
		for _, t := range e.Targets {
			ids = append(ids, t.Relation)
		}
		for _, id := range ids {
			if found == 0 && id != 0 && expiring[id] {
				found = id
			}
		}
	})
	return found
}
