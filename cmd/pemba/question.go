package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// asking are the flags of a command that asks the engine something.
func asking(more ...cli.Flag) []cli.Flag {
	return remote(append([]cli.Flag{
		&cli.StringFlag{Name: "context", Aliases: []string{"c"}, Usage: "what conditions read: a `JSON` object, or @FILE"},
		&cli.StringSliceFlag{Name: "contextual", Usage: "a `TUPLE` seen by this request alone; may be repeated"},
		&cli.StringFlag{Name: "at", Usage: "the instant asked about, an RFC 3339 `TIME`; now without it"},
	}, append(freshness(), more...)...)...)
}

func freshness() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "fully-consistent", Usage: "see every write acknowledged before this request"},
		&cli.StringFlag{Name: "at-least-as-fresh", Usage: "see at least what `TOKEN` knows"},
		&cli.StringFlag{Name: "at-exact-snapshot", Usage: "see exactly the revision of `TOKEN`"},
	}
}

// asked is a question of the command line: its words, and what the flags of
// asking say.
type asked struct {
	words []string
	api.Brought
	api.Moment
}

// ask reads a question whose words have these names, holds them to their form,
// and connects to the store that is asked.
func ask(c *cli.Context, names ...string) (asked, *client.Store, error) {
	words, err := arguments(c, names...)
	if err != nil {
		return asked{}, nil, err
	}
	if err := wellFormed(names, words); err != nil {
		return asked{}, nil, err
	}
	q := asked{words: words}
	if q.Context, err = readContext(c.String("context")); err != nil {
		return asked{}, nil, err
	}
	for _, text := range c.StringSlice("contextual") {
		t, err := api.ParseTuple(text)
		if err != nil {
			return asked{}, nil, fmt.Errorf("--contextual: %w", err)
		}
		q.ContextualTuples = append(q.ContextualTuples, t)
	}
	if text := c.String("at"); text != "" {
		if q.At, err = tuple.ParseTime(text); err != nil {
			return asked{}, nil, fmt.Errorf("--at: %w", err)
		}
	}
	if q.Consistency, err = readConsistency(c); err != nil {
		return asked{}, nil, err
	}
	store, err := connectStore(c)
	return q, store, err
}

// wellFormed checks the form of a question's words before a server is asked.
func wellFormed(names, words []string) error {
	for i, name := range names {
		var err error
		switch word := words[i]; name {
		case "OBJECT":
			_, err = tuple.ParseObject(word)
		case "PERMISSION":
			err = tuple.ValidName(word, false)
		case "SUBJECT":
			_, err = tuple.ParseSubject(word)
		case "TYPE", "TYPE[#RELATION]":
			kind, _, _ := strings.Cut(word, "#")
			err = tuple.ValidName(kind, true)
		}
		if err != nil {
			what, _, _ := strings.Cut(strings.ToLower(name), "[")
			return fmt.Errorf("the %s: %w", what, err)
		}
	}
	return nil
}

// readContext reads a JSON object, or the file that @ names.
func readContext(text string) (api.Context, error) {
	if text == "" {
		return nil, nil
	}
	if name, ok := strings.CutPrefix(text, "@"); ok {
		file, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("--context: %w", err)
		}
		text = string(file)
	}
	if _, err := condition.NewRequest([]byte(text), time.Time{}); err != nil {
		return nil, fmt.Errorf("--context: %w", err)
	}
	return api.Context(text), nil
}

func readConsistency(c *cli.Context) (*api.Consistency, error) {
	var chosen []*api.Consistency
	if c.Bool("fully-consistent") {
		chosen = append(chosen, api.FullyConsistent())
	}
	if token := c.String("at-least-as-fresh"); token != "" {
		chosen = append(chosen, api.AtLeastAsFresh(tuple.Token(token)))
	}
	if token := c.String("at-exact-snapshot"); token != "" {
		chosen = append(chosen, api.AtExactSnapshot(tuple.Token(token)))
	}
	switch len(chosen) {
	case 0:
		return nil, nil
	case 1:
		return chosen[0], nil
	}
	return nil, &usageError{command: commandPath(c), message: "--fully-consistent, --at-least-as-fresh and --at-exact-snapshot exclude each other"}
}
