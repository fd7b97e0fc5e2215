package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "may a subject do this to an object?", ArgsUsage: "OBJECT PERMISSION SUBJECT",
		Description: "pemba check document:readme view user:ana\n\n" + exitCodes,
		Flags:       asking(),
		Action: func(c *cli.Context) error {
			request, err := checkRequest(c)
			if err != nil {
				return err
			}
			store, err := connectStore(c)
			if err != nil {
				return err
			}
			answer, err := store.Check(c.Context, request)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = printJSON(c.App.Writer, answer)
			} else {
				_, err = fmt.Fprintln(c.App.Writer, verdict(answer.Answer))
			}
			return or(err, exitOf(answer.Answer))
		},
	}
}

func checkRequest(c *cli.Context) (api.CheckRequest, error) {
	args, err := arguments(c, "OBJECT", "PERMISSION", "SUBJECT")
	if err != nil {
		return api.CheckRequest{}, err
	}
	if err := question(args[0], args[1], args[2]); err != nil {
		return api.CheckRequest{}, err
	}
	q, err := readAsked(c)
	return api.CheckRequest{
		Question:    api.Question{Object: args[0], Permission: args[1], Subject: args[2], Context: q.context, ContextualTuples: q.contextual},
		Consistency: q.consistency, At: q.at,
	}, err
}

// verdict is an answer in a line.
func verdict(a api.Answer) string {
	if len(a.Missing) > 0 {
		return string(a.Result) + " (missing: " + strings.Join(a.Missing, ", ") + ")"
	}
	return string(a.Result)
}

// exitOf is the exit code of an answer. Only allowed is 0.
func exitOf(a api.Answer) error {
	switch {
	case a.Allowed && a.Result == api.Allowed:
		return nil
	case a.Result == api.Conditional:
		return errQuiet(exitConditional)
	default:
		return errQuiet(exitNo)
	}
}

func or(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func explainCommand() *cli.Command {
	return &cli.Command{
		Name: "explain", Usage: "the answer of a check with the way to it", ArgsUsage: "OBJECT PERMISSION SUBJECT",
		Description: "For an allowed one: the tuples and rules that allow. For a denied one: what was tried and is missing.\n\n" + exitCodes,
		Flags:       asking(),
		Action: func(c *cli.Context) error {
			request, err := checkRequest(c)
			if err != nil {
				return err
			}
			store, err := connectStore(c)
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
			printSteps(c.App.Writer, "", answer.Explanation)
			return exitOf(answer.Answer)
		},
	}
}

// printSteps prints an explanation as a tree.
func printSteps(w io.Writer, indent string, root *api.Step) {
	if root == nil {
		return
	}
	fmt.Fprintln(w, indent+stepLine(root))
	printBelow(w, indent, root.Steps)
}

func printBelow(w io.Writer, indent string, steps []*api.Step) {
	for i, s := range steps {
		branch, below := "├─ ", "│  "
		if i == len(steps)-1 {
			branch, below = "└─ ", "   "
		}
		fmt.Fprintln(w, indent+branch+stepLine(s))
		printBelow(w, indent+below, s.Steps)
	}
}

// marks show a result at a glance.
var marks = map[api.Result]string{api.Allowed: "✓", api.Denied: "✗", api.Conditional: "?"}

func stepLine(s *api.Step) string {
	mark := marks[s.Result]
	if mark == "" {
		mark = "·"
	}
	parts := []string{mark, s.Kind}
	if s.Tuple != nil {
		parts = append(parts, tupleText(*s.Tuple))
	} else if s.Object != "" {
		parts = append(parts, userset(s.Object, s.Relation))
	}
	if s.Subject != "" && s.Tuple == nil {
		parts = append(parts, "for", s.Subject)
	}
	if s.Condition != nil {
		parts = append(parts, conditionText(s.Condition))
	}
	if len(s.Missing) > 0 {
		parts = append(parts, "(missing: "+strings.Join(s.Missing, ", ")+")")
	}
	if s.Reason != "" {
		parts = append(parts, "— "+s.Reason)
	}
	if s.Place != "" {
		parts = append(parts, " ["+s.Place+"]")
	}
	return strings.Join(parts, " ")
}

func conditionText(c *api.ConditionStep) string {
	text := "if " + c.Name + " (" + map[bool]string{true: "holds", false: "does not hold"}[c.Result == api.Allowed] + ")"
	if len(c.Missing) > 0 {
		text = "if " + c.Name + " (missing: " + strings.Join(c.Missing, ", ") + ")"
	}
	return text
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
