package spicedb

import (
	"fmt"
	"path"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// world is all files of one import together: what names mean.
type world struct {
	report      *dialect.Reporter
	files       []*file // the root first, then in the order of first import
	definitions map[string]*worldType
	partials    map[string]*definition
	caveats     map[string]*caveat
	order       []*worldType
	unfolded    int // members and partials taken in so far
}

// worldType is a definition with the members of the partials that it takes in.
type worldType struct {
	def     *definition
	file    *file
	members map[string]*member
	order   []*member
	// added are names that "all" reads on this type, which lacks them.
	added map[string]bool
	out   *ast.Type // once it is translated
}

// load reads the root and everything that it imports, each file once; whole says
// that nothing is missing.
func load(files []source.File, report *dialect.Reporter) (read []*file, whole bool) {
	l := &loader{report: report, given: map[string]source.File{}, folder: path.Dir(files[0].Name), read: map[string]*file{}}
	for _, f := range files {
		l.given[path.Clean(f.Name)] = f
	}
	l.file(path.Clean(files[0].Name), 0)
	for _, f := range files[1:] {
		if l.read[path.Clean(f.Name)] == nil && !l.missing {
			report.Note("extra_file", source.Place{File: f.Name, Line: 1, Column: 1}, 1,
				fmt.Sprintf("no file imports %s: nothing of it was imported", f.Name), "import it, or leave it out")
		}
	}
	return l.files, !l.missing
}

type loader struct {
	report *dialect.Reporter
	given  map[string]source.File
	folder string
	files  []*file
	read   map[string]*file // nil while its imports are read
	open   []string

	missing bool // a file could not be read, or is not there
}

func (l *loader) file(at string, depth int) *file {
	f := l.given[at]
	if !l.report.Open(f) {
		l.missing = true
		return nil
	}
	read := parseFile(f, l.report)
	l.files = append(l.files, read)
	l.open = append(l.open, at)
	defer func() { l.open = l.open[:len(l.open)-1] }()
	l.read[at] = read
	for _, i := range read.imports {
		l.follow(at, i, depth)
	}
	return read
}

// follow reads the file that an import names, below the root's folder.
func (l *loader) follow(from string, i *importDef, depth int) {
	to := path.Join(path.Dir(from), i.path.Text)
	inside := l.folder == "." || to == l.folder || len(to) > len(l.folder) && to[:len(l.folder)+1] == l.folder+"/"
	_, found := l.given[to]
	switch {
	case path.IsAbs(i.path.Text) || !inside || !dialect.SafePath(to):
		l.refuse("bad_path", i.path, fmt.Sprintf("the import %q leaves the folder of the root file", tuple.Clip(i.path.Text)), "imports stay within it")
	case !found:
		l.refuse("missing_file", i.path, fmt.Sprintf("the imported file %q is not there", tuple.Clip(i.path.Text)), "give it with the root file")
	case l.isOpen(to):
		l.refuse("import_cycle", i.path, fmt.Sprintf("the file %q imports itself through others", tuple.Clip(i.path.Text)), "")
	case depth > dialect.MaxDepth:
		l.refuse("too_deep", i.path, fmt.Sprintf("imports nested deeper than %d", dialect.MaxDepth), "")
	case l.read[to] != nil:
	default:
		l.file(to, depth+1)
	}
}

func (l *loader) isOpen(at string) bool {
	for _, o := range l.open {
		if o == at {
			return true
		}
	}
	return false
}

func (l *loader) refuse(code string, n name, message, suggestion string) {
	l.missing = true
	l.report.Refuse(code, n.Place, utf8.RuneCountInString(n.Text)+2, message, suggestion)
}

func (w *world) refuse(code string, n name, message, suggestion string) {
	w.report.Refuse(code, n.Place, utf8.RuneCountInString(n.Text), message, suggestion)
}

// newWorld gathers the names of all files and refuses those given twice.
func newWorld(files []*file, report *dialect.Reporter) *world {
	w := &world{report: report, files: files, definitions: map[string]*worldType{}, partials: map[string]*definition{}, caveats: map[string]*caveat{}}
	taken := map[string]source.Place{}
	take := func(n name, what string) bool {
		if first, ok := taken[n.Text]; ok {
			w.refuse("duplicate", n, fmt.Sprintf("the name of the %s %s is taken", what, tuple.Clip(n.Text)), "it is first used at "+first.String())
			return false
		}
		taken[n.Text] = n.Place
		return true
	}
	for _, f := range files {
		for _, d := range f.definitions {
			switch {
			case d.partial && take(d.name, "partial"):
				w.partials[d.name.Text] = d
			case !d.partial && take(d.name, "definition"):
				t := &worldType{def: d, file: f, members: map[string]*member{}, added: map[string]bool{}}
				w.definitions[d.name.Text] = t
				w.order = append(w.order, t)
			}
		}
		for _, c := range f.caveats {
			if take(c.name, "caveat") {
				w.caveats[c.name.Text] = c
			}
		}
	}
	if !w.checkPartials() {
		return w
	}
	for _, t := range w.order {
		w.members(t, t.def, nil)
	}
	return w
}

// checkPartials refuses references to partials that are not there, or that lead
// back to themselves.
func (w *world) checkPartials() bool {
	const open, closed = 1, 2
	ok := true
	state := map[*definition]int{}
	var visit func(d *definition, depth int)
	visit = func(d *definition, depth int) {
		state[d] = open
		for _, m := range d.members {
			if m.kind != splat {
				continue
			}
			p := w.partials[m.name.Text]
			switch {
			case p == nil:
				ok = false
				w.refuse("unknown_partial", m.name, fmt.Sprintf("the partial %s is not defined", tuple.Clip(m.name.Text)), "")
			case state[p] == open || depth > dialect.MaxDepth:
				ok = false
				w.refuse("partial_cycle", m.name, fmt.Sprintf("the partial %s takes in itself", tuple.Clip(m.name.Text)), "")
			case state[p] == 0:
				visit(p, depth+1)
			}
		}
		state[d] = closed
	}
	for _, f := range w.files {
		for _, d := range f.definitions {
			if state[d] == 0 {
				visit(d, 0)
			}
		}
	}
	return ok
}

// members adds those of a definition or partial to a type. Comments above a
// reference to a partial, and above the partial, stand before its first member.
func (w *world) members(t *worldType, d *definition, before []remark) {
	for _, m := range d.members {
		if w.unfolded++; w.unfolded > dialect.MaxMembers {
			w.refuse("too_large", t.def.name, fmt.Sprintf("the schema has more than %d relations and permissions", dialect.MaxMembers), "")
			return
		}
		if m.kind == splat {
			p := w.partials[m.name.Text]
			w.members(t, p, plain(before, m.comments, p.comments))
			before = nil
			continue
		}
		own := *m // a partial's member means something else in every definition
		m = &own
		if len(before) > 0 {
			m.comments, before = append(before, m.comments...), nil
		}
		if other := t.members[m.name.Text]; other != nil {
			w.refuse("duplicate", m.name, fmt.Sprintf("the definition %s has %s twice", tuple.Clip(t.def.name.Text), tuple.Clip(m.name.Text)), "it is first defined at "+other.name.Place.String())
			continue
		}
		t.members[m.name.Text] = m
		t.order = append(t.order, m)
	}
}

// plain joins comments; they document nothing where they come to stand.
func plain(lists ...[]remark) []remark {
	var out []remark
	for _, list := range lists {
		for _, r := range list {
			out = append(out, remark{Text: r.Text})
		}
	}
	return out
}

// member returns a relation or permission of a definition, or nil.
func (w *world) member(typ, name string) *member {
	if t := w.definitions[typ]; t != nil {
		return t.members[name]
	}
	return nil
}
