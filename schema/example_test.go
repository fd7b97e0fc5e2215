package schema_test

import (
	"errors"
	"fmt"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func ExampleCompile() {
	module, err := schema.Compile([]source.File{{Name: "model.pemba", Text: `pemba 1

type user

type document {
  relation owner:  [user] at most 1
  relation viewer: [user]

  permission view = viewer or owner
}
`}}, schema.NewNumbering())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range module.Schema.Type("document").Relations {
		fmt.Println(r.Name, "=", module.Schema.Text(r, r.Rewrite))
	}
	// Output:
	// owner = [user] at most 1
	// viewer = [user]
	// view = viewer or owner
}

func ExampleCompile_faults() {
	_, err := schema.Compile([]source.File{{Name: "model.pemba", Text: `pemba 1

type user

type document {
  relation viewer: [usr]
  permission view = viewer or owner except banned
}
`}}, schema.NewNumbering())
	var faults source.Diagnostics
	if errors.As(err, &faults) {
		for _, f := range faults {
			fmt.Print(f.Render())
		}
	}
	// Output:
	// model.pemba:6:21: error: there is no type "usr" [unknown_type]
	//     6 |   relation viewer: [usr]
	//                             ^^^
	//         did you mean user?
	// model.pemba:7:31: error: type document has no relation or permission "owner" [unknown_relation]
	//     7 |   permission view = viewer or owner except banned
	//                                       ^^^^^
	// model.pemba:7:37: error: or, and, except side by side need parentheses [mixed_operators]
	//     7 |   permission view = viewer or owner except banned
	//                                             ^^^^^^
	//         write (viewer or owner) except banned
	// model.pemba:7:44: error: type document has no relation or permission "banned" [unknown_relation]
	//     7 |   permission view = viewer or owner except banned
	//                                                    ^^^^^^
}

func ExampleAdmission_Admit() {
	module, err := schema.Compile([]source.File{{Name: "model.pemba", Text: `pemba 1
type user
type document {
  relation viewer: [user with expiry]
}
`}}, schema.NewNumbering())
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, text := range []string{
		"document:readme#viewer@user:ana until 2030-01-01T00:00:00Z",
		"document:readme#viewer@user:ana",
		"document:readme#viewr@user:ana",
	} {
		t, err := tuple.Parse(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		if refusal := module.Admission.Admit(t); refusal != nil {
			fmt.Println(refusal.Code, "-", refusal)
		} else {
			fmt.Println("admitted")
		}
	}
	// Output:
	// admitted
	// expiry_required - document:readme#viewer@user:ana: document#viewer admits user:ana only with an expiry, and the tuple has none; expected user with expiry
	// unknown_relation - document:readme#viewr@user:ana: type document has no relation "viewr"; did you mean viewer?
}
