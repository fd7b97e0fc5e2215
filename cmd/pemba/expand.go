package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func expandCommand() *cli.Command {
	return &cli.Command{
		Name: "expand", Usage: "the tree of usersets that makes up a permission", ArgsUsage: "OBJECT PERMISSION",
		Flags: asking(&cli.IntFlag{Name: "depth", Usage: "open at most `N` levels of usersets; 0 is all"}),
		Action: func(c *cli.Context) error {
			q, store, err := ask(c, "OBJECT", "PERMISSION")
			if err != nil {
				return err
			}
			answer, err := store.Expand(c.Context, api.ExpandRequest{Object: q.words[0], Permission: q.words[1], Depth: c.Int("depth"),
				Brought: q.Brought, Moment: q.Moment})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, answer)
			}
			printUserset(c.App.Writer, "", "", answer.Tree)
			return nil
		},
	}
}

// printUserset prints an expanded tree; first and rest lead its first line and the others.
func printUserset(w io.Writer, first, rest string, u *api.Userset) {
	if u == nil {
		return
	}
	fmt.Fprintln(w, first+usersetLine(u))
	total := len(u.Subjects) + len(u.Children)
	lead := func(i int) (string, string) {
		if i == total-1 {
			return rest + "└─ ", rest + "   "
		}
		return rest + "├─ ", rest + "│  "
	}
	for i, leaf := range u.Subjects {
		branch, _ := lead(i)
		fmt.Fprintln(w, branch+leafLine(leaf))
	}
	for i, child := range u.Children {
		branch, below := lead(len(u.Subjects) + i)
		printUserset(w, branch, below, child)
	}
}

func usersetLine(u *api.Userset) string {
	line := u.Kind
	if u.Object != "" {
		line = userset(u.Object, u.Relation)
	}
	if u.Via != nil {
		line += " by " + leafLine(*u.Via)
	}
	for _, a := range u.Actors {
		if a.Owner != "" {
			line += fmt.Sprintf(" (%s where its %s does)", a.Type, a.Owner)
		} else {
			line += fmt.Sprintf(" (no %s)", a.Type)
		}
	}
	if u.Back {
		line += " (opened elsewhere)"
	}
	if u.Cut {
		line += " …"
	}
	return line
}

// leafLine is the subject of a tuple, with what its condition says.
func leafLine(l api.Leaf) string {
	text := strings.TrimPrefix(tupleText(l.Tuple), l.Object+"#"+l.Relation+"@")
	if l.Result != api.Allowed {
		text += " " + verdict(api.Answer{Result: l.Result, Missing: l.Missing})
	}
	return text
}
