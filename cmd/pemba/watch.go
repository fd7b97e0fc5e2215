package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "show the changes of a store as they happen",
		Description: "It goes on by itself when a server stops. Interrupted, it prints the token to go on from with --token.\n" +
			"With --json each revision is a line, and a line with a token alone says that nothing is missing up to there.",
		Flags: remote(append(filterFlags(),
			&cli.StringFlag{Name: "token", Usage: "begin behind the revision of this `TOKEN`, as any answer has one; without it: with what happens from now on"})...),
		Action: watchStore,
	}
}

func watchStore(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	filter, err := readFilter(c)
	if err != nil {
		return err
	}
	store, err := connectStore(c)
	if err != nil {
		return err
	}
	for event, err := range store.Watch(c.Context, api.WatchRequest{Token: tuple.Token(c.String("token")), Filter: filter}) {
		var ended *client.WatchError
		if errors.As(err, &ended) && c.Context.Err() != nil {
			return printResume(c, ended.Token)
		}
		if err == nil {
			err = printEvent(c, event)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printResume says how to go on after an interruption, which is how a watch ends.
func printResume(c *cli.Context, token tuple.Token) error {
	if token == "" {
		return nil
	}
	_, err := fmt.Fprintf(c.App.ErrWriter, "go on with --token %s\n", token)
	return err
}

func printEvent(c *cli.Context, event api.Event) error {
	if c.Bool("json") {
		return printLine(c.App.Writer, event)
	}
	at := event.Time.Format(time.RFC3339Nano)
	if event.Store != "" {
		fmt.Fprintf(c.App.Writer, "%s  the store was %s\n", at, event.Store)
	}
	if event.Schema {
		fmt.Fprintf(c.App.Writer, "%s  the schema was written\n", at)
	}
	for _, change := range event.Changes {
		if _, err := fmt.Fprintf(c.App.Writer, "%s  %-10s %s\n", at, change.Op, tupleText(change.Tuple)); err != nil {
			return err
		}
	}
	return nil
}
