package main

import (
	"fmt"
	"os"
	"strings"
	"time"

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

// asked is what the flags of asking say.
type asked struct {
	context     api.Context
	contextual  []api.Tuple
	at          time.Time
	consistency *api.Consistency
}

func readAsked(c *cli.Context) (asked, error) {
	var q asked
	var err error
	if q.context, err = readContext(c.String("context")); err != nil {
		return asked{}, err
	}
	for _, text := range c.StringSlice("contextual") {
		t, err := api.ParseTuple(text)
		if err != nil {
			return asked{}, fmt.Errorf("--contextual: %w", err)
		}
		q.contextual = append(q.contextual, t)
	}
	if text := c.String("at"); text != "" {
		if q.at, err = tuple.ParseTime(text); err != nil {
			return asked{}, fmt.Errorf("--at: %w", err)
		}
	}
	q.consistency, err = readConsistency(c)
	return q, err
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
	if _, err := tuple.CanonicalContext([]byte(text)); err != nil {
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

// question checks the form of OBJECT PERMISSION SUBJECT before a server is asked.
func question(object, permission, subject string) error {
	if object != "" {
		if _, err := tuple.ParseObject(object); err != nil {
			return fmt.Errorf("the object: %w", err)
		}
	}
	if permission != "" {
		if err := tuple.ValidName(permission, false); err != nil {
			return fmt.Errorf("the permission: %w", err)
		}
	}
	if subject != "" {
		if _, err := tuple.ParseSubject(subject); err != nil {
			return fmt.Errorf("the subject: %w", err)
		}
	}
	return nil
}
