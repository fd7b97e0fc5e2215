package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "the answer of a check with the way to it", ArgsUsage: "OBJECT PERMISSION SUBJECT",
		Description: "For an allowed one: the tuples and rules that allow. For a denied one: what was tried and is missing.\n\n" + exitCodes,
		Flags:       asking(),
		Action: func(c *cli.Context) error {
			request, store, err := askCheck(c)
			if err != nil {
				return err
			}
			answer, err := store.Explain(c.Context, request)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return or(printJSON(c.App.Writer, answer), exitOf(answer.Answer))
			}
			fmt.Fprintf(c.App.Writer, "%s: %s on %s for %s\n", verdict(answer.Answer), request.Permission, request.Object, request.Subject)
			printExplanation(c.App.Writer, "", answer.Explanation)
			return exitOf(answer.Answer)
		},
	}
}

// marks show a result at a glance.
var marks = map[api.Result]string{api.Allowed: "✓", api.Denied: "✗", api.Conditional: "?", api.Failed: "!"}

// printExplanation prints an explanation as a tree, a name with its rewrite in
// one line.
func printExplanation(w io.Writer, indent string, root *api.Step) {
	if root != nil {
		printStep(w, indent, indent, root, root.Subject)
	}
}

func printStep(w io.Writer, first, rest string, s *api.Step, asked string) {
	text, below := stepLine(s, asked)
	fmt.Fprintf(w, "%s%s %s\n", first, marks[s.Result], text)
	if s.Kind == "name" && s.Subject != "" {
		asked = s.Subject
	}
	for i, step := range below {
		if i == len(below)-1 {
			printStep(w, rest+"└─ ", rest+"   ", step, asked)
		} else {
			printStep(w, rest+"├─ ", rest+"│  ", step, asked)
		}
	}
}

// stepLine is a step in words, with the steps to print below it.
func stepLine(s *api.Step, asked string) (string, []*api.Step) {
	switch s.Kind {
	case "name":
		return nameLine(s, asked)
	case "tuple":
		if s.Tuple != nil {
			return note(s, tupleText(*s.Tuple)), s.Steps
		}
	case "union", "intersection":
		if len(s.Steps) == 1 && s.Reason == "" && s.Steps[0].Result == s.Result {
			return stepLine(s.Steps[0], asked) // an operator over the one operand that counts
		}
	case "acts_for":
		return note(s, "acts for its owner"), s.Steps
	}
	text := s.Rewrite
	if text == "" {
		text = s.Kind
	}
	return note(s, text), s.Steps
}

// nameLine is object#relation with its rewrite, or with the tuple that answers.
func nameLine(s *api.Step, asked string) (string, []*api.Step) {
	text := userset(s.Object, s.Relation)
	if s.Subject != asked && s.Subject != "" {
		text += " for " + s.Subject
	}
	if len(s.Steps) != 1 {
		return note(s, text), s.Steps
	}
	only := s.Steps[0]
	switch {
	case only.Kind == "tuple", only.Kind == "name", only.Kind == "acts_for":
		return note(s, text), s.Steps
	case only.Kind == "direct" && len(only.Steps) == 1 && only.Steps[0].Tuple != nil && len(only.Steps[0].Steps) == 0:
		leaf := only.Steps[0]
		return note(s, text+": "+note(leaf, tupleText(*leaf.Tuple))), nil
	case only.Kind == "direct" || only.Rewrite == "":
		return note(only, text), only.Steps
	}
	if only.Place != "" {
		text += " = " + only.Rewrite + "  [" + only.Place + "]"
	} else {
		text += " = " + only.Rewrite
	}
	return note(s, text), only.Steps
}

// note adds to a step what its condition said, what is missing, and the reason.
func note(s *api.Step, text string) string {
	switch c := s.Condition; {
	case c == nil && len(s.Missing) > 0 && len(s.Steps) == 0:
		text += " (missing: " + strings.Join(s.Missing, ", ") + ")"
	case c == nil:
	case c.Error != "":
		text += " (" + c.Name + " failed: " + c.Error + ")"
	case len(c.Missing) > 0:
		text += " (" + c.Name + " misses " + strings.Join(c.Missing, ", ") + values(c) + ")"
	case c.Result == api.Allowed:
		text += " (" + c.Name + " holds" + values(c) + ")"
	default:
		text += " (" + c.Name + " does not hold" + values(c) + ")"
	}
	if s.Reason != "" {
		text += " — " + s.Reason
	}
	return text
}

// values are what a condition read, in the order of names.
func values(c *api.ConditionStep) string {
	if len(c.Values) == 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(c.Values)) {
		parts = append(parts, name+" = "+string(c.Values[name]))
	}
	return ": " + strings.Join(parts, ", ")
}

func userset(object, relation string) string {
	if relation == "" {
		return object
	}
	return object + "#" + relation
}

// tupleText is the tuple as people write it.
func tupleText(t api.Tuple) string {
	parsed, faults := t.Tuple()
	if len(faults) > 0 {
		return t.Object + "#" + t.Relation + "@" + t.Subject
	}
	return parsed.String()
}
