package main

import (
	"fmt"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func clusterCommand() *cli.Command {
	flags := []cli.Flag{serverFlag(), jsonFlag}
	return &cli.Command{
		Name: "cluster", Usage: "the members of a cluster",
		Subcommands: []*cli.Command{
			{Name: "show", Usage: "the state of the cluster as the asked node sees it", Flags: flags, Action: showCluster},
			{Name: "verify", Usage: "make all members recount everything at one revision and compare them; exit code 1 when they differ",
				Flags: flags, Action: verifyCluster},
			{Name: "remove", Usage: "take a member out for good; its folder must not be used again", ArgsUsage: "ID", Flags: flags, Action: removeMember},
			authorityCommand(),
			certificateCommand(),
		},
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

func removeMember(c *cli.Context) error {
	args, err := arguments(c, "ID")
	if err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	cluster, err := conn.RemoveMember(c.Context, args[0])
	if err != nil {
		return err
	}
	return printCluster(c, cluster)
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
	fmt.Fprintln(c.App.Writer)
	t := newTable(c.App.Writer, "member", "role", "cluster port", "http")
	for _, m := range cluster.Members {
		role := "voter"
		switch {
		case m.Leader:
			role = "leader"
		case !m.Voter:
			role = "learner"
		}
		t.row(m.ID, role, m.Address, m.API)
	}
	return t.flush()
}
