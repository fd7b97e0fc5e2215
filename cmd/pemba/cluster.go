package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func clusterCommand() *cli.Command {
	flags := []cli.Flag{serverFlag(), jsonFlag}
	return &cli.Command{
		Name: "cluster", Usage: "the members of a cluster",
		Subcommands: append([]*cli.Command{
			{Name: "show", Usage: "the state of the cluster as the asked node sees it", Flags: flags, Action: showCluster},
			{Name: "verify", Usage: "make all members recount everything at one revision and compare them; exit code 1 when they differ",
				Flags: flags, Action: verifyCluster},
			{
				Name: "token", Usage: "make a token with which one node can join: a secret, shown once",
				Description: "The node that joins reads it from --join-token-file or PEMBA_JOIN_TOKEN.",
				Flags: append([]cli.Flag{
					&cli.DurationFlag{Name: "valid", Value: time.Hour, Usage: "how long, at most a week"},
					&cli.BoolFlag{Name: "replica", Usage: "for a node that follows without a vote (serve --replica)"},
					&cli.StringFlag{Name: "out", Usage: "write it to a new `FILE` that only its owner can read, instead of printing it"},
				}, flags...),
				Action: newJoinToken,
			},
			recoverCommand(),
			authorityCommand(),
			certificateCommand(),
		}, membershipCommands(flags)...),
	}
}

func showCluster(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	cluster, err := conn.Cluster(c.Context)
	if err != nil {
		return err
	}
	return printCluster(c, cluster)
}

func newJoinToken(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	var file *os.File
	if name := c.String("out"); name != "" { // before there is a secret to lose
		if file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return overwriting(err)
		}
	}
	token, err := conn.NewJoinToken(c.Context, api.JoinTokenRequest{Seconds: int64(c.Duration("valid").Seconds()), Replica: c.Bool("replica")})
	if file != nil {
		if err == nil {
			_, err = fmt.Fprintln(file, token.JoinToken)
		}
		if err = errors.Join(err, file.Close()); err != nil {
			return errors.Join(err, os.Remove(file.Name()))
		}
		_, err = fmt.Fprintf(c.App.Writer, "wrote a join token to %s; it is valid until %s\n", file.Name(), token.ExpiresAt.Local().Format(time.DateTime))
		return err
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, token)
	}
	_, err = fmt.Fprintln(c.App.Writer, token.JoinToken)
	return err
}

func printCluster(c *cli.Context, cluster api.Cluster) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, cluster)
	}
	ready := "ready"
	if !cluster.Ready {
		ready = "not ready: " + cluster.Reason
	}
	fmt.Fprintf(c.App.Writer, "cluster %s\nnode    %s, %s, %s\n", cluster.ClusterID, cluster.NodeID, cluster.Role, ready)
	switch cluster.Secured {
	case "":
	case "insecure":
		fmt.Fprintf(c.App.Writer, "port    INSECURE: whoever reaches the cluster port can read and change everything\n")
	default:
		fmt.Fprintf(c.App.Writer, "port    %s\n", cluster.Secured)
	}
	if behind(cluster) {
		fmt.Fprintf(c.App.Writer, "level   %d; every member's build knows a higher one: pemba cluster upgrade uses it\n", cluster.Feature)
	}
	fmt.Fprintln(c.App.Writer)
	t := newTable(c.App.Writer, "member", "role", "cluster port", "http", "certificate")
	for _, m := range cluster.Members {
		role := "voter"
		switch {
		case m.Leader:
			role = "leader"
		case m.Replica:
			role = "replica"
		case !m.Voter:
			role = "learner"
		}
		t.row(m.ID, role, m.Address, m.API, m.Name)
	}
	return t.flush()
}

// behind says whether the cluster could use a higher feature level.
func behind(cluster api.Cluster) bool {
	for _, m := range cluster.Members {
		if m.Feature <= cluster.Feature {
			return false
		}
	}
	return len(cluster.Members) > 0
}
