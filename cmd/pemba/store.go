package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func storeCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag { return append([]cli.Flag{serverFlag(), jsonFlag}, more...) }
	return &cli.Command{
		Name: "store", Usage: "create, list and delete stores",
		Subcommands: []*cli.Command{
			{
				Name: "create", Usage: "create a store, or find it there", ArgsUsage: "NAME",
				Flags: flags(&cli.StringFlag{Name: "index", Usage: "`memory` answers in microseconds; disk is for a store that would fill the memory (default: memory)"}),
				Action: named(func(c *cli.Context, conn *client.Client, name string) error {
					store, err := conn.PutStoreIndexed(c.Context, name, api.StoreIndex(c.String("index")))
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, store)
					}
					if store.Created {
						_, err = fmt.Fprintf(c.App.Writer, "created store %s\n", name)
					} else {
						_, err = fmt.Fprintf(c.App.Writer, "store %s is there already\n", name)
					}
					return err
				}),
			},
			{Name: "list", Usage: "list the stores", Flags: flags(), Action: listStores},
			{
				Name: "show", Usage: "what is known of a store", ArgsUsage: "NAME", Flags: flags(),
				Action: named(func(c *cli.Context, conn *client.Client, name string) error {
					store, err := conn.GetStore(c.Context, name)
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, store)
					}
					return printStores(c, []api.Store{store})
				}),
			},
			{
				Name: "delete", Usage: "delete a store with all that is in it", ArgsUsage: "NAME",
				Flags: flags(&cli.StringFlag{Name: "confirm", Usage: "the `NAME` once more, so that no slip deletes a store"}),
				Action: named(func(c *cli.Context, conn *client.Client, name string) error {
					if c.String("confirm") != name {
						return &usageError{command: commandPath(c), message: "deleting store " + name + " deletes its schema and all its tuples",
							suggestion: "repeat the command with --confirm " + name}
					}
					answer, err := conn.DeleteStore(c.Context, name)
					if err != nil {
						return err
					}
					if c.Bool("json") {
						return printJSON(c.App.Writer, answer)
					}
					_, err = fmt.Fprintf(c.App.Writer, "deleted store %s\n", name)
					return err
				}),
			},
		},
	}
}

// named is the action of a command on one store, which is named as its argument.
func named(action func(c *cli.Context, conn *client.Client, name string) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, "NAME")
		if err != nil {
			return err
		}
		conn, err := connect(c)
		if err != nil {
			return err
		}
		return action(c, conn, args[0])
	}
}

func listStores(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	answer, err := conn.Stores(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, answer)
	}
	return printStores(c, answer.Stores)
}

func printStores(c *cli.Context, stores []api.Store) error {
	t := newTable(c.App.Writer, "name", "tuples", "schema", "index", "created")
	for _, s := range stores {
		hasSchema, created := "none", ""
		if s.Schema {
			hasSchema = "yes"
		}
		if !s.CreatedAt.IsZero() {
			created = s.CreatedAt.UTC().Format(time.DateTime)
		}
		t.row(s.Name, strconv.FormatInt(s.Tuples, 10), hasSchema, string(s.Index), created)
	}
	return t.flush()
}
