package openfga

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

// selfTuples is what the header refuses: OpenFGA refuses tuples of a userset to
// itself.
const selfTuples = "self_tuples"

// translate writes the models in Pemba's language, a file for each; a manifest
// becomes a root that imports them.
func (w *world) translate(root string, modular bool) []source.File {
	w.checkRenames()
	if !modular {
		f := w.file(w.models[0], pembaName(root))
		f.Header.Refuse = []ast.Name{ast.N(selfTuples)}
		return []source.File{{Name: f.Name, Text: ast.Format(f)}}
	}
	main := ast.NewFile(root + ".pemba")
	main.Header.Refuse = []ast.Name{ast.N(selfTuples)}
	files := []source.File{{Name: main.Name}}
	for _, m := range w.models {
		f := w.file(m, pembaName(path.Join(path.Dir(root), m.file)))
		f.Header.Before = append([]string{dialect.Comment("Module "+m.module.Text+".", false)}, f.Header.Before...)
		main.Decls = append(main.Decls, &ast.Import{Path: pembaName(m.file)})
		files = append(files, source.File{Name: f.Name, Text: ast.Format(f)})
	}
	files[0].Text = ast.Format(main)
	return files
}

// pembaName gives a file Pemba's ending.
func pembaName(name string) string {
	if ext := path.Ext(name); ext == ".fga" || ext == ".json" || ext == ".openfga" {
		name = strings.TrimSuffix(name, ext)
	}
	return name + ".pemba"
}

func (w *world) file(m *model, to string) *ast.File {
	f := ast.NewFile(to)
	for _, c := range m.comments {
		f.Header.Before = append(f.Header.Before, dialect.Comment(c, false))
	}
	order := map[ast.Decl]int{}
	for _, t := range m.types {
		d := w.typ(t)
		order[d] = t.order
		f.Decls = append(f.Decls, d)
	}
	for _, c := range m.conditions {
		d := w.condition(c)
		order[d] = c.order
		f.Decls = append(f.Decls, d)
	}
	sort.SliceStable(f.Decls, func(i, j int) bool { return order[f.Decls[i]] < order[f.Decls[j]] })
	for _, c := range m.tail {
		f.End = append(f.End, dialect.Comment(c, false))
	}
	return f
}

func (w *world) typ(t *typeDef) *ast.Type {
	out := &ast.Type{Notes: dialect.Notes(true, t.comments), Name: ast.N(TypeName(t.name.Text))}
	if t.extend {
		out.Kind = ast.Extend
	}
	if len(t.relations) == 0 {
		return out
	}
	out.Body = &ast.Body{}
	for _, r := range t.relations {
		expr := w.expr(r, r.rewrite)
		directs := dialect.Directs(expr)
		if directs > 1 {
			w.refuse("several_direct", r.name, fmt.Sprintf("the relation %s reads its own tuples in several places, which Pemba's relations cannot", r.name.Text),
				"move them into a relation of their own and refer to it")
		}
		if dialect.TooDeep(expr) {
			w.refuse("too_deep", r.name, fmt.Sprintf("the definition of %s nests deeper than Pemba's language reads", tuple.Clip(r.name.Text)), "give a part of it a name of its own")
		}
		out.Body.Members = append(out.Body.Members, &ast.Relation{Notes: dialect.Notes(false, r.comments), Permission: directs == 0,
			Names: []ast.Name{ast.N(RelationName(r.name.Text))}, Expr: expr})
	}
	return out
}

func (w *world) expr(r *relationDef, e *rewrite) ast.Expr {
	switch e.operator {
	case this:
		return direct(r)
	case computed:
		return &ast.Ref{Name: ast.N(RelationName(e.relation.Text))}
	case fromTupleset:
		return &ast.Arrow{Relation: ast.N(RelationName(e.tupleset.Text)), Target: ast.N(RelationName(e.relation.Text))}
	}
	var operands []ast.Expr
	direct := false
	for _, o := range e.operands {
		if o.operator == this && direct && e.operator != difference {
			continue // the same set once more: JSON can say so
		}
		direct = direct || o.operator == this
		operands = append(operands, w.expr(r, o))
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

func direct(r *relationDef) *ast.Direct {
	d := &ast.Direct{}
	for _, s := range r.direct {
		subject := ast.Subject{Type: ast.N(TypeName(s.typ.Text)), Wildcard: s.wildcard}
		if s.relation.Text != "" {
			subject.Relation = ast.N(RelationName(s.relation.Text))
		}
		if s.condition.Text != "" {
			subject.Condition = ast.N(ConditionName(s.condition.Text))
		}
		d.Subjects = append(d.Subjects, subject)
	}
	return d
}
