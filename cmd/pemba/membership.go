package main

import (
	"context"
	"fmt"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// membershipCommands change who is a member, and what as.
func membershipCommands(flags []cli.Flag) []*cli.Command {
	return []*cli.Command{
		{Name: "remove", Usage: "take a member out for good; its folder must not be used again", ArgsUsage: "ID", Flags: flags,
			Action: ofMember((*client.Client).RemoveMember)},
		{Name: "promote", Usage: "give a replica a vote, once it has caught up", ArgsUsage: "ID", Flags: flags,
			Action: ofMember((*client.Client).PromoteMember)},
		{Name: "demote", Usage: "take a member's vote: it follows and answers questions from then on", ArgsUsage: "ID", Flags: flags,
			Action: ofMember((*client.Client).DemoteMember)},
		{Name: "transfer", Usage: "make another member lead", Flags: flags, Action: ofCluster((*client.Client).TransferLeadership)},
		{Name: "leave", Usage: "take the asked node out for good: name it with --server", Flags: flags, Action: leaveCluster},
		{
			Name: "upgrade", Usage: "let the cluster use what came with a newer build, once all members run it; there is no way back",
			Flags: append([]cli.Flag{
				&cli.UintFlag{Name: "level", Usage: "the feature `LEVEL`; the highest that the asked node's build knows without it"},
			}, flags...),
			Action: upgradeCluster,
		},
	}
}

// ofMember is the action of a command on one member, which is named as its argument.
func ofMember(ask func(*client.Client, context.Context, string) (api.Cluster, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		args, err := arguments(c, "ID")
		if err != nil {
			return err
		}
		return changeCluster(c, func(conn *client.Client, ctx context.Context) (api.Cluster, error) { return ask(conn, ctx, args[0]) })
	}
}

// ofCluster is the action of a command on the cluster as a whole.
func ofCluster(ask func(*client.Client, context.Context) (api.Cluster, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		if _, err := arguments(c); err != nil {
			return err
		}
		return changeCluster(c, ask)
	}
}

func changeCluster(c *cli.Context, ask func(*client.Client, context.Context) (api.Cluster, error)) error {
	conn, err := connect(c)
	if err != nil {
		return err
	}
	cluster, err := ask(conn, c.Context)
	if err != nil {
		return err
	}
	return printCluster(c, cluster)
}

// leaveCluster wants one address: which of several is asked is chance.
func leaveCluster(c *cli.Context) error {
	if len(addresses(c)) != 1 {
		return &usageError{command: commandPath(c), message: "--server names several nodes", suggestion: "name the one that is to leave"}
	}
	return ofCluster((*client.Client).LeaveCluster)(c)
}

func upgradeCluster(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	raised, err := conn.RaiseFeature(c.Context, uint32(c.Uint("level")))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, raised)
	}
	_, err = fmt.Fprintf(c.App.Writer, "the cluster uses feature level %d\n", raised.Level)
	return err
}
