package main

import (
	"fmt"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

// verifyCluster recounts every member and compares them; exit code 1 when they differ.
func verifyCluster(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	found, err := conn.VerifyCluster(c.Context)
	if err != nil {
		return err
	}
	if err := printVerification(c, found); err != nil {
		return err
	}
	if !found.Equal {
		return errQuiet(exitNo)
	}
	return nil
}

func printVerification(c *cli.Context, found api.VerifyResponse) error {
	w := c.App.Writer
	if c.Bool("json") {
		return printJSON(w, found)
	}
	t := newTable(w, "member", "store", "tuples", "quarantined", "state")
	for _, m := range found.Members {
		if m.Error != "" {
			t.row(m.ID, "-", "-", "-", "no answer")
			continue
		}
		t.row(m.ID, "(cluster)", "-", "-", m.Cluster)
		for _, st := range m.Stores {
			t.row(m.ID, st.Name, fmt.Sprint(st.Tuples), fmt.Sprint(st.Quarantined), st.State)
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if found.Equal {
		_, err := fmt.Fprintf(w, "\nequal: %s recounted\n", plural(len(found.Members), "member"))
		return err
	}
	fmt.Fprintln(w, "\nNOT equal:")
	for _, finding := range found.Findings {
		fmt.Fprintf(w, "  %s\n", finding)
	}
	return nil
}
