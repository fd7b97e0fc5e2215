package main

import (
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/bench"
	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "load a server with checks and writes, and compare every answer",
		Description: "A store of its own is filled, then asked by several workers at once. An answer that the data contradicts is counted as wrong.",
		Flags: []cli.Flag{serverFlag(), jsonFlag,
			&cli.StringFlag{Name: "store", Value: "bench", Usage: "the store `NAME` to fill; nothing else should be in it"},
			&cli.IntFlag{Name: "workers", Value: 8, Usage: "`N` requests under way at once"},
			&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "how long"},
			&cli.Float64Flag{Name: "writes", Usage: "`SHARE` of requests that write, 0 to 1"},
			&cli.IntFlag{Name: "users", Usage: "`N` users; 1000 without it"},
			&cli.IntFlag{Name: "groups", Usage: "`N` groups; 100 without it"},
			&cli.IntFlag{Name: "documents", Usage: "`N` documents; 10000 without it"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the choice of questions"},
			&cli.BoolFlag{Name: "no-load", Usage: "the store is filled already"},
		},
		Action: runBench,
	}
}

func runBench(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if share := c.Float64("writes"); share < 0 || share > 1 {
		return &usageError{command: commandPath(c), message: fmt.Sprintf("--writes %v is not between 0 and 1", share)}
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	config := bench.Config{Client: conn, Store: c.String("store"), Workers: c.Int("workers"), Duration: c.Duration("duration"),
		Writes: c.Float64("writes"), Users: c.Int("users"), Groups: c.Int("groups"), Documents: c.Int("documents"), Seed: c.Uint64("seed")}
	if !c.Bool("no-load") {
		begin := time.Now()
		tuples, err := bench.Load(c.Context, config)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.ErrWriter, "%s loaded in %v\n", plural(tuples, "tuple"), time.Since(begin).Round(time.Millisecond))
	}
	result, err := bench.Run(c.Context, config)
	if err != nil {
		return err
	}
	show := printBench
	if c.Bool("json") {
		show = func(c *cli.Context, result bench.Result) error { return printJSON(c.App.Writer, result) }
	}
	if err := show(c, result); err != nil {
		return err
	}
	if result.Checks.Wrong+result.Checks.Failed+result.Writes.Failed > 0 {
		return errQuiet(exitNo)
	}
	return nil
}

func printBench(c *cli.Context, result bench.Result) error {
	t := newTable(c.App.Writer, "requests", "answered", "per second", "p50", "p90", "p99", "longest", "failed", "wrong")
	row := func(name string, s bench.Summary) {
		if s.Count+s.Failed == 0 {
			return
		}
		t.row(name, fmt.Sprint(s.Count), fmt.Sprintf("%.0f", s.PerSecond), s.P50.String(), s.P90.String(), s.P99.String(), s.Max.String(),
			fmt.Sprint(s.Failed), fmt.Sprint(s.Wrong))
	}
	row("checks", result.Checks)
	row("writes", result.Writes)
	if err := t.flush(); err != nil {
		return err
	}
	for _, s := range []bench.Summary{result.Checks, result.Writes} {
		if s.LastError != "" {
			fmt.Fprintf(c.App.ErrWriter, "the last error: %s\n", s.LastError)
		}
	}
	return nil
}
