package spicedb

import (
	"fmt"
	"regexp"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The rules on names are those of SpiceDB's API.
var (
	typeName   = regexp.MustCompile(`^([a-z][a-z0-9_]{1,61}[a-z0-9]/)*[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
	memberName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,62}[a-z0-9]$`)
)

// validate refuses what SpiceDB itself refuses: the rules that only its dialect
// knows are kept here, never in Pemba's language.
func (w *world) validate() {
	for _, f := range w.files {
		for _, d := range f.definitions {
			w.checkName(d.name, typeName)
			for _, m := range d.members {
				if m.kind != splat {
					w.checkName(m.name, memberName)
				}
			}
		}
		for _, c := range f.caveats {
			w.checkName(c.name, typeName)
			w.checkCaveat(c)
		}
	}
	for _, t := range w.order {
		for _, m := range t.order {
			if m.kind == relation {
				w.checkRelation(t, m)
			} else if m.expression != nil {
				w.checkExpression(t, m, m.expression)
			}
		}
	}
	if w.report.Failed() {
		return // what follows walks references, which must hold
	}
	w.checkWildcards()
	w.checkAnnotations()
}

func (w *world) checkName(n name, rule *regexp.Regexp) {
	if !rule.MatchString(n.Text) {
		w.refuse("bad_name", n, fmt.Sprintf("%q is no name in SpiceDB", tuple.Clip(n.Text)), "a name has 3 to 64 lower-case letters, digits and _, and begins with a letter")
	}
}

// near suggests the definition whose name is closest to one that is unknown.
func (w *world) near(text string) string {
	return dialect.Suggest(w.report, text, w.order, func(t *worldType) string { return t.def.name.Text })
}

// nearMember does so for a relation or permission of a definition.
func (w *world) nearMember(t *worldType, text string) string {
	return dialect.Suggest(w.report, text, t.order, func(m *member) string { return m.name.Text })
}

// checkRelation checks the types of a relation's subjects.
func (w *world) checkRelation(t *worldType, m *member) {
	seen := map[string]bool{}
	for _, a := range m.types {
		if seen[a.String()] {
			w.refuse("duplicate", a.typ, fmt.Sprintf("the subject type %s stands twice in %s#%s", a, t.def.name.Text, m.name.Text), "remove one of them")
		}
		seen[a.String()] = true
		other := w.definitions[a.typ.Text]
		switch {
		case other == nil:
			w.refuse("unknown_type", a.typ, fmt.Sprintf("the definition %s is not there", tuple.Clip(a.typ.Text)), w.near(a.typ.Text))
		case a.relation.Text != "" && other.members[a.relation.Text] == nil:
			w.refuse("unknown_relation", a.relation, fmt.Sprintf("the definition %s has no relation or permission %s", a.typ.Text, tuple.Clip(a.relation.Text)), w.nearMember(other, a.relation.Text))
		}
		if a.caveat.Text != "" && w.caveats[a.caveat.Text] == nil {
			suggestion := ""
			if a.caveat.Text == "expiration" {
				suggestion = "use expiration at the beginning of the file makes it a keyword"
			}
			w.refuse("unknown_caveat", a.caveat, fmt.Sprintf("the caveat %s is not defined", tuple.Clip(a.caveat.Text)), suggestion)
		}
	}
}

// checkExpression checks what a permission refers to.
func (w *world) checkExpression(t *worldType, m *member, e *expression) {
	if e.operator == reference || e.operator == walk || e.operator == walkAll {
		left := t.members[e.relation.Text]
		switch {
		case left == nil:
			w.refuse("unknown_relation", e.relation, fmt.Sprintf("the definition %s has no relation or permission %s", t.def.name.Text, tuple.Clip(e.relation.Text)), w.nearMember(t, e.relation.Text))
		case e.operator != reference && left.kind == permission:
			w.refuse("permission_walked", e.relation, fmt.Sprintf("%s is a permission, and only a relation can be walked by an arrow", e.relation.Text), "walk the relation that it is computed from")
		}
	}
	for _, o := range e.operands {
		w.checkExpression(t, m, o)
	}
}

// checkCaveat compiles the expression, and refuses functions that SpiceDB lacks
// and parameters that the expression does not use.
func (w *world) checkCaveat(c *caveat) {
	if c.body.Text == "" {
		return // it did not parse
	}
	used := map[string]bool{}
	for _, word := range dialect.CELWords(c.body.Text) {
		used[word.Text] = used[word.Text] || !word.Field
		if word.Text == "now" && word.Called && !word.Field {
			w.report.Refuse("unknown_function", dialect.Inside(c.body.Place, c.body.Text, word.Offset), len(word.Text),
				"the function now is not one of SpiceDB's caveats", "take the instant as a parameter")
		}
	}
	for _, p := range c.params {
		if !used[p.name.Text] {
			w.refuse("unused_parameter", p.name, fmt.Sprintf("the expression of caveat %s does not use its parameter %s", c.name.Text, p.name.Text), "remove it")
		}
	}
	w.report.CompileCondition(c.name.Text, c.name.Place, c.astParams(), c.body.Text, c.body.Place, false)
}

func (c *caveat) astParams() []ast.Param {
	out := make([]ast.Param, len(c.params))
	for i, p := range c.params {
		out[i] = ast.Param{Name: ast.N(p.name.Text), Type: p.typ}
	}
	return out
}

// checkWildcards refuses what SpiceDB refuses of wildcards: a relation that
// takes them in from another definition, and an arrow over one that holds them.
func (w *world) checkWildcards() {
	holds := w.wildcards()
	for _, t := range w.order {
		for _, m := range t.order {
			for _, a := range m.types {
				if a.relation.Text != "" && a.typ.Text != t.def.name.Text && holds[w.member(a.typ.Text, a.relation.Text)] {
					w.refuse("transitive_wildcard", a.typ, fmt.Sprintf("%s holds a wildcard, which SpiceDB does not let a relation take in", a), "write the wildcard here, or refer to a permission")
				}
			}
			if m.expression != nil {
				w.checkWalked(t, m.expression, holds)
			}
		}
	}
}

func (w *world) checkWalked(t *worldType, e *expression, holds map[*member]bool) {
	if (e.operator == walk || e.operator == walkAll) && holds[t.members[e.relation.Text]] {
		w.refuse("wildcard_walked", e.relation, fmt.Sprintf("%s holds a wildcard, which an arrow cannot walk", e.relation.Text), "walk a relation without wildcards")
	}
	for _, o := range e.operands {
		w.checkWalked(t, o, holds)
	}
}

// wildcards returns the relations that hold a wildcard, also through the
// relations of their subjects. Permissions end the search, as in SpiceDB.
func (w *world) wildcards() map[*member]bool {
	holds := map[*member]bool{}
	readers := map[*member][]*member{}
	var work []*member
	for _, t := range w.order {
		for _, m := range t.order {
			for _, a := range m.types {
				if a.wildcard && !holds[m] {
					holds[m] = true
					work = append(work, m)
				}
				if a.relation.Text != "" {
					from := w.member(a.typ.Text, a.relation.Text)
					readers[from] = append(readers[from], m)
				}
			}
		}
	}
	for len(work) > 0 {
		m := work[len(work)-1]
		work = work[:len(work)-1]
		for _, r := range readers[m] {
			if !holds[r] {
				holds[r] = true
				work = append(work, r)
			}
		}
	}
	return holds
}
