package spicedb

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// CaveatName returns the name that a caveat of SpiceDB has in Pemba, where the
// name of a condition holds no slash: tenant/on_tuesday is tenant-on_tuesday.
// Nothing else has that name, since SpiceDB's names hold no hyphen.
func CaveatName(text string) string { return strings.ReplaceAll(text, "/", "-") }

// translate writes the files in Pemba's language.
func (w *world) translate() []source.File {
	out := make([]*ast.File, len(w.files))
	for i, f := range w.files {
		out[i] = w.file(f)
	}
	w.addMissing()
	files := make([]source.File, len(out))
	for i, f := range out {
		files[i] = source.File{Name: f.Name, Text: ast.Format(f)}
	}
	return files
}

// pembaName gives a file Pemba's ending.
func pembaName(name string) string {
	if ext := path.Ext(name); ext == ".zed" || ext == ".spicedb" {
		name = strings.TrimSuffix(name, ext)
	}
	return name + ".pemba"
}

func (w *world) file(f *file) *ast.File {
	out := ast.NewFile(pembaName(f.name))
	for _, c := range f.comments {
		out.Header.Before = append(out.Header.Before, dialect.Comment(c, false))
	}
	for _, i := range f.imports {
		n := dialect.Notes(false, i.comments)
		out.Decls = append(out.Decls, &ast.Import{Notes: n, Path: pembaName(path.Clean(i.path.Text))})
	}
	imports := len(out.Decls)
	order := map[ast.Decl]int{}
	for _, d := range f.definitions {
		if t := w.definitions[d.name.Text]; !d.partial && t != nil {
			decl := w.definition(t)
			order[decl] = d.order
			out.Decls = append(out.Decls, decl)
		}
	}
	for _, c := range f.caveats {
		decl := w.caveat(c)
		order[decl] = c.order
		out.Decls = append(out.Decls, decl)
	}
	declared := out.Decls[imports:]
	sort.SliceStable(declared, func(i, j int) bool { return order[declared[i]] < order[declared[j]] })
	for _, c := range f.tail {
		out.End = append(out.End, dialect.Comment(c, false))
	}
	return out
}

func (w *world) definition(t *worldType) *ast.Type {
	out := &ast.Type{Notes: dialect.Notes(true, t.def.comments), Name: ast.N(t.def.name.Text)}
	t.out = out
	if len(t.order)+len(t.def.tail) == 0 {
		return out
	}
	out.Body = &ast.Body{}
	for _, m := range t.order {
		r := &ast.Relation{Notes: dialect.Notes(false, m.comments), Names: []ast.Name{ast.N(m.name.Text)}}
		if m.kind == relation {
			r.Expr = direct(m)
		} else {
			r.Permission = true
			r.Expr = w.expr(t, m.expression)
		}
		if dialect.TooDeep(r.Expr) {
			w.refuse("too_deep", m.name, fmt.Sprintf("the expression of %s nests deeper than Pemba's language reads", tuple.Clip(m.name.Text)), "give a part of it a name of its own")
		}
		out.Body.Members = append(out.Body.Members, r)
	}
	for _, c := range t.def.tail {
		out.Body.End = append(out.Body.End, dialect.Comment(c.Text, false))
	}
	return out
}

func direct(m *member) *ast.Direct {
	d := &ast.Direct{}
	for _, a := range m.types {
		s := ast.Subject{Type: ast.N(a.typ.Text), Wildcard: a.wildcard}
		if a.relation.Text != "" {
			s.Relation = ast.N(a.relation.Text)
		}
		if a.caveat.Text != "" {
			s.Condition = ast.N(CaveatName(a.caveat.Text))
		}
		if a.expiration {
			s.Expiry = ast.RequiredExpiry
		}
		d.Subjects = append(d.Subjects, s)
	}
	return d
}

func (w *world) expr(t *worldType, e *expression) ast.Expr {
	switch e.operator {
	case reference:
		return &ast.Ref{Name: ast.N(e.relation.Text)}
	case walk, walkAll:
		return w.walk(t, e)
	case none:
		return &ast.Nobody{}
	case itself:
		return &ast.Self{}
	}
	operands := make([]ast.Expr, len(e.operands))
	for i, o := range e.operands {
		operands[i] = w.expr(t, o)
		if o.operator >= union && o.operator != e.operator && !o.grouped {
			w.report.Note("mixed_operators", o.place, 1, "operators stand side by side without parentheses: SpiceDB takes + first, then &, then -, and so does the imported schema", "")
		}
	}
	switch e.operator {
	case union:
		return dialect.Join(ast.Or, operands...)
	case intersection:
		return dialect.Join(ast.And, operands...)
	default:
		return dialect.Join(ast.Except, operands...)
	}
}

// walk writes an arrow. SpiceDB takes a name that the far type lacks for a set
// that is empty; Pemba's arrow skips such a type, but refuses one that finds the
// name nowhere, and its every wants the name on all of them.
func (w *world) walk(t *worldType, e *expression) ast.Expr {
	var lacking []*worldType
	types := t.members[e.relation.Text].types
	if !w.report.Spend(len(types), e.relation.Place) {
		return &ast.Nobody{} // refused
	}
	for _, a := range types {
		if other := w.definitions[a.typ.Text]; other.members[e.target.Text] == nil {
			lacking = append(lacking, other)
		}
	}
	if len(lacking) == len(types) {
		w.report.Note("empty_arrow", e.target.Place, len(e.target.Text), fmt.Sprintf("no type that %s leads to has %s: the arrow is written as nobody", e.relation.Text, e.target.Text), "")
		return &ast.Nobody{}
	}
	if e.operator == walkAll {
		for _, other := range lacking {
			other.added[e.target.Text] = true
		}
	}
	return &ast.Arrow{Every: e.operator == walkAll, Relation: ast.N(e.relation.Text), Target: ast.N(e.target.Text)}
}

// addMissing gives the types that "all" leads to and that lack its name an empty
// permission: that keeps the meaning, which is that all fails there.
func (w *world) addMissing() {
	for _, t := range w.order {
		names := make([]string, 0, len(t.added))
		for n := range t.added {
			names = append(names, n)
		}
		sort.Strings(names)
		for _, n := range names {
			w.report.Note("added_permission", t.def.name.Place, len(t.def.name.Text),
				fmt.Sprintf("an arrow over all objects reads %s on %s, which lacks it: an empty permission is added", n, t.def.name.Text), "")
			if t.out.Body == nil {
				t.out.Body = &ast.Body{}
			}
			t.out.Body.Members = append(t.out.Body.Members, &ast.Relation{Permission: true, Names: []ast.Name{ast.N(n)}, Expr: &ast.Nobody{},
				Notes: ast.Notes{Before: []string{dialect.Comment("Added by the import: an arrow over all objects reads it.", true)}}})
		}
	}
}

func (w *world) caveat(c *caveat) *ast.Condition {
	to := CaveatName(c.name.Text)
	if to != c.name.Text {
		w.report.Note("renamed", c.name.Place, len(c.name.Text), fmt.Sprintf("the caveat %s is named %s: a condition's name holds no slash", c.name.Text, to), "")
	}
	out := &ast.Condition{Notes: dialect.Notes(true, c.comments), Name: ast.N(to), Params: c.astParams(), Body: strings.TrimSpace(c.body.Text)}
	return out
}
