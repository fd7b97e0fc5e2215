package dialect

import (
	"github.com/pemba-authz/pemba/schema/ast"
	"github.com/pemba-authz/pemba/schema/source"
)

// Name is a word of the source with its place.
type Name struct {
	Text  string
	Place source.Place
}

// Remark is a comment of the source.
type Remark struct {
	Text  string
	Doc   bool // it documents the declaration that follows
	Trail bool // it stands behind its declaration, on the same line
	Line  int  // the line that it begins in
	Until int  // the line that it ends in
}

// Notes gives a declaration its comments; blank asks for an empty line above it.
func Notes(blank bool, remarks []Remark) ast.Notes {
	n := ast.Notes{Blank: blank}
	for _, r := range remarks {
		if c := Comment(r.Text, r.Doc); r.Trail && n.Trail == "" {
			n.Trail = c
		} else {
			n.Before = append(n.Before, c)
		}
	}
	return n
}
