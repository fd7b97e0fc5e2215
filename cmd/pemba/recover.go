package main

import (
	"fmt"
	"log/slog"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/urfave/cli/v2"
)

// recoverCommand makes the node of a folder the only member of its cluster.
func recoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", Usage: "go on with this node alone, after a majority of the members was lost for good",
		Description: "Works on the folder of a node that does not run. Without --confirm it only says what it would do.\n" +
			"Acknowledged writes that only the lost members had are gone. The cluster gets another identity: members and\n" +
			"tokens of before are refused from then on, and new members join with an empty folder.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", EnvVars: []string{"PEMBA_DIR"}, Usage: "`FOLDER` of the node that remains"},
			&cli.StringFlag{Name: "confirm", Usage: "the `ID` of the cluster, so that no slip recovers one"},
			jsonFlag,
		},
		Action: recoverCluster,
	}
}

func recoverCluster(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	dir := c.String("dir")
	if dir == "" {
		return &usageError{command: commandPath(c), message: "no folder is named", suggestion: "set --dir FOLDER"}
	}
	logger := slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelError}))
	if !c.IsSet("confirm") {
		plan, err := raftstore.PlanRecovery(dir, logger)
		if err != nil {
			return err
		}
		if err := printRecovery(c, plan); err != nil {
			return err
		}
		return &usageError{command: commandPath(c), message: "nothing was changed",
			suggestion: "be sure that the lost members never run again, then repeat the command with --confirm " + plan.ClusterID}
	}
	done, err := raftstore.Recover(dir, c.String("confirm"), logger)
	if err != nil {
		return err
	}
	return printRecovery(c, done)
}

// recoveryInfo is what --json shows of a recovery.
type recoveryInfo struct {
	NodeID    string   `json:"node_id"`
	ClusterID string   `json:"cluster_id"`
	NewID     string   `json:"new_cluster_id,omitzero"`
	Lost      []string `json:"lost_members"`
}

func printRecovery(c *cli.Context, r raftstore.Recovery) error {
	info := recoveryInfo{NodeID: r.NodeID, ClusterID: r.ClusterID, NewID: r.NewID, Lost: []string{}}
	for _, m := range r.Lost {
		info.Lost = append(info.Lost, m.ID)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, info)
	}
	remains := "would remain"
	if r.NewID != "" {
		remains = "remains"
	}
	fmt.Fprintf(c.App.Writer, "node    %s %s, alone, with everything that it has received\ncluster %s\n", r.NodeID, remains, r.ClusterID)
	if r.NewID != "" {
		fmt.Fprintf(c.App.Writer, "is now  %s\n", r.NewID)
	}
	t := newTable(c.App.Writer, "lost member", "cluster port", "http")
	for _, m := range r.Lost {
		t.row(m.ID, m.Address, m.HTTPAddress)
	}
	return t.flush()
}
