package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// batchChecks is how many questions go into one request.
const batchChecks = 500

// readQuestions reads OBJECT PERMISSION SUBJECT, one question a line.
func readQuestions(c *cli.Context, name string) ([]api.Question, error) {
	var in io.Reader = c.App.Reader
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	var questions []api.Question
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != len(checkWords) {
			return nil, fmt.Errorf("%s:%d: expected OBJECT PERMISSION SUBJECT, found %q", name, n, lines.Text())
		}
		if err := wellFormed(checkWords, fields); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		questions = append(questions, api.Question{Object: fields[0], Permission: fields[1], Subject: fields[2]})
	}
	return questions, lines.Err()
}

// checkFile answers the questions of a file. All of a request see one revision;
// the later requests see the one of the first.
func checkFile(c *cli.Context, store *client.Store, name string, q asked) error {
	questions, err := readQuestions(c, name)
	if err != nil {
		return err
	}
	t := newTable(c.App.Writer)
	if !c.Bool("json") {
		t = newTable(c.App.Writer, "object", "permission", "subject", "result")
	}
	failed := false
	for len(questions) > 0 {
		part := questions[:min(batchChecks, len(questions))]
		questions = questions[len(part):]
		for i := range part {
			part[i].Brought = q.Brought
		}
		answer, err := store.CheckBatch(c.Context, api.BatchRequest{Checks: part, Moment: q.Moment})
		if err != nil {
			return err
		}
		q.Consistency, q.At = api.AtExactSnapshot(answer.Token), answer.EvaluatedAt
		for i, result := range answer.Results {
			failed = failed || result.Answer == nil
			if c.Bool("json") {
				err = printLine(c.App.Writer, result)
			} else {
				t.row(part[i].Object, part[i].Permission, part[i].Subject, resultText(result))
			}
			if err != nil {
				return err
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if failed {
		return errQuiet(exitError)
	}
	return nil
}

func resultText(r api.BatchResult) string {
	switch {
	case r.Answer != nil:
		return verdict(*r.Answer)
	case r.Problem != nil:
		return "error: " + r.Problem.Detail
	}
	return "error: the server gave no answer"
}
