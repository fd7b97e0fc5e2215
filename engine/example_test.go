package engine_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A document may be viewed by the members of a group, except for who is banned.
func ExampleCheck() {
	s := groups() // document#view = viewer except banned
	var tuples []tuple.Tuple
	for _, text := range []string{
		"document:readme#viewer@group:eng#member",
		"group:eng#member@user:ana",
		"group:eng#member@user:bob",
		"document:readme#banned@user:bob",
	} {
		t, err := tuple.Parse(text)
		if err != nil {
			fmt.Println(err)
			return
		}
		tuples = append(tuples, t)
	}
	reader, err := memory.New(s, tuples)
	if err != nil {
		fmt.Println(err)
		return
	}
	view := engine.View{Schema: s, Reader: reader, Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, id := range []string{"ana", "bob"} {
		answer, err := engine.Check(context.Background(), view, engine.Question{
			Object:     tuple.Object{Type: "document", ID: "readme"},
			Permission: "view",
			Subject:    tuple.Subject{Type: "user", ID: id},
		})
		fmt.Println(id, answer.Outcome, err)
	}
	// Output:
	// ana allowed <nil>
	// bob denied <nil>
}

func ExampleExplain() {
	s := groups()
	t, err := tuple.Parse("group:eng#member@user:ana")
	if err != nil {
		fmt.Println(err)
		return
	}
	reader, err := memory.New(s, []tuple.Tuple{t})
	if err != nil {
		fmt.Println(err)
		return
	}
	view := engine.View{Schema: s, Reader: reader, Now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	x, err := engine.Explain(context.Background(), view, engine.Question{
		Object: tuple.Object{Type: "group", ID: "eng"}, Permission: "member", Subject: tuple.Subject{Type: "user", ID: "ana"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(x)
	// Output:
	// allowed: user:ana member group:eng
	//   + group:eng#member for user:ana
	//     + [user | group#member]
	//       + tuple group:eng#member@user:ana
}
