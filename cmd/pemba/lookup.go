package main

import (
	"iter"
	"strings"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func lookupCommand() *cli.Command {
	return &cli.Command{
		Name: "lookup", Usage: "list the objects, subjects or permissions that go together",
		Subcommands: []*cli.Command{
			{
				Name: "objects", Usage: "objects of a type that a subject has a permission on", ArgsUsage: "TYPE PERMISSION SUBJECT",
				Flags: asking(), Action: lookupObjects,
			},
			{
				Name: "subjects", Usage: "subjects of a type (or its usersets) that have a permission", ArgsUsage: "OBJECT PERMISSION TYPE[#RELATION]",
				Description: "An entry TYPE:* stands for all of the type that are not named; the named ones say excluded where they are not in it.",
				Flags:       asking(), Action: lookupSubjects,
			},
			{
				Name: "permissions", Usage: "permissions and relations that a subject has on an object", ArgsUsage: "OBJECT SUBJECT",
				Flags: asking(), Action: lookupPermissions,
			},
		},
	}
}

func lookupObjects(c *cli.Context) error {
	q, store, err := ask(c, "TYPE", "PERMISSION", "SUBJECT")
	if err != nil {
		return err
	}
	found := store.Objects(c.Context, api.LookupObjectsRequest{ObjectType: q.words[0], Permission: q.words[1], Subject: q.words[2],
		Brought: q.Brought, Moment: q.Moment})
	return list(c, found, []string{"object", "result"}, func(f api.FoundObject) []string {
		return []string{f.Object, verdict(api.Answer{Result: f.Result, Missing: f.Missing})}
	})
}

func lookupSubjects(c *cli.Context) error {
	q, store, err := ask(c, "OBJECT", "PERMISSION", "TYPE[#RELATION]")
	if err != nil {
		return err
	}
	kind, relation, _ := strings.Cut(q.words[2], "#")
	found := store.Subjects(c.Context, api.LookupSubjectsRequest{Object: q.words[0], Permission: q.words[1], SubjectType: kind, SubjectRelation: relation,
		Brought: q.Brought, Moment: q.Moment})
	return list(c, found, []string{"subject", "result"}, func(f api.FoundSubject) []string {
		return []string{f.Subject, verdict(api.Answer{Result: f.Result, Missing: f.Missing})}
	})
}

func lookupPermissions(c *cli.Context) error {
	q, store, err := ask(c, "OBJECT", "SUBJECT")
	if err != nil {
		return err
	}
	found := store.Permissions(c.Context, api.LookupPermissionsRequest{Object: q.words[0], Subject: q.words[1],
		Brought: q.Brought, Moment: q.Moment})
	return list(c, found, []string{"permission", "kind", "result"}, func(f api.FoundPermission) []string {
		kind := "permission"
		if f.Relation {
			kind = "relation"
		}
		return []string{f.Permission, kind, verdict(api.Answer{Result: f.Result, Missing: f.Missing})}
	})
}

// list prints a stream: a table, or with --json one document per line. An error
// says that the list is not whole.
func list[T any](c *cli.Context, items iter.Seq2[T, error], heads []string, cells func(T) []string) error {
	asJSON := c.Bool("json")
	t := newTable(c.App.Writer)
	for item, err := range items {
		if err != nil {
			t.flush()
			return err
		}
		if asJSON {
			if err := printLine(c.App.Writer, item); err != nil {
				return err
			}
			continue
		}
		if t.rows == 0 {
			t = newTable(c.App.Writer, heads...)
		}
		t.row(cells(item)...)
	}
	return t.flush()
}
