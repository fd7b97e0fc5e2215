package main

import (
	"fmt"
	"strings"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "may a subject do this to an object?", ArgsUsage: "OBJECT PERMISSION SUBJECT",
		Description: "pemba check document:readme view user:ana\n\n" +
			"With --file many questions are answered, one a line, and the exit code is 0 if each has an answer.\n\n" + exitCodes,
		Flags: asking(&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "answer the questions in `FILE`, or - for standard input"}),
		Action: func(c *cli.Context) error {
			if name := c.String("file"); name != "" {
				q, store, err := ask(c)
				if err != nil {
					return err
				}
				return checkFile(c, store, name, q)
			}
			request, store, err := askCheck(c)
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

// checkWords are the words of a check.
var checkWords = []string{"OBJECT", "PERMISSION", "SUBJECT"}

// askCheck reads the question of check and explain.
func askCheck(c *cli.Context) (api.CheckRequest, *client.Store, error) {
	q, store, err := ask(c, checkWords...)
	if err != nil {
		return api.CheckRequest{}, nil, err
	}
	return api.CheckRequest{Question: api.Question{Object: q.words[0], Permission: q.words[1], Subject: q.words[2], Brought: q.Brought},
		Moment: q.Moment}, store, nil
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
