package ast_test

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/ast"
)

func ExampleFormatText() {
	text, err := ast.FormatText("model.pemba", `pemba 1
type user
type document { // what users write
relation owner:[user] at most 1
relation viewer:[user|group#member]
/// Reading.
permission view=viewer or owner }
type group { relation member: [user] }
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(text)
	// Output:
	// pemba 1
	//
	// type user
	//
	// type document { // what users write
	//   relation owner:  [user] at most 1
	//   relation viewer: [user | group#member]
	//   /// Reading.
	//   permission view = viewer or owner
	// }
	//
	// type group {
	//   relation member: [user]
	// }
}

func ExampleFormat() {
	file := ast.NewFile("model.pemba")
	file.Decls = []ast.Decl{
		&ast.Type{Name: ast.N("user"), Notes: ast.Notes{Before: []string{"/// Someone with an account."}}},
		&ast.Type{Name: ast.N("document"), Body: &ast.Body{Members: []ast.Member{
			&ast.Relation{Names: []ast.Name{ast.N("viewer")}, Notes: ast.Notes{Trail: "// readers"},
				Expr: &ast.Direct{Subjects: []ast.Subject{{Type: ast.N("user")}}}},
			&ast.Relation{Permission: true, Names: []ast.Name{ast.N("view")},
				Expr: &ast.Ref{Name: ast.N("viewer")}, Deprecated: "use viewer"},
		}}},
	}
	fmt.Print(ast.Format(file))
	// Output:
	// pemba 1
	//
	// /// Someone with an account.
	// type user
	//
	// type document {
	//   relation viewer: [user] // readers
	//   permission view = viewer deprecated "use viewer"
	// }
}
