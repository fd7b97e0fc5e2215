package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/bench"
	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/bench/target"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "measure the engine and a server, and compare every answer",
		Description: benchDescription(),
		Flags: []cli.Flag{jsonFlag,
			&cli.StringFlag{Name: "html", Usage: "write a page with plots to `FILE` as well"},
			&cli.StringFlag{Name: "dataset", Value: "drive", Usage: "`NAME` of the data: drive, shapes, " + strings.Join(dataset.Products(), ", ")},
			&cli.StringFlag{Name: "tuples", Value: "100k", Usage: "about `N` tuples: 10k, 1M, 100M (of shapes: members of the large group)"},
			&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the data and of the choice of questions"},
			&cli.StringFlag{Name: "targets", Value: "in-process,pemba", Usage: "`LIST` of in-process (the engine without a server) and pemba (a server over HTTP)"},
			&cli.StringFlag{Name: "server", Usage: "`URL` of a Pemba server that runs already; nodes of a cluster with commas between. Without it one is started, and stopped at the end"},
			&cli.StringFlag{Name: "openfga", Usage: "measure the OpenFGA server at this `URL` too"},
			&cli.StringFlag{Name: "spicedb", Usage: "measure the SpiceDB server with its HTTP gateway at this `URL` too; its key is in PEMBA_BENCH_SPICEDB_KEY"},
			&cli.StringFlag{Name: "store", Usage: "the store `NAME` to fill; nothing else should be in it. Without it, bench-DATASET"},
			&cli.StringFlag{Name: "dir", Usage: "`FOLDER` for the data of what is started here, kept for the next time. Without it, a temporary one"},
			&cli.BoolFlag{Name: "no-load", Usage: "the servers hold the data already"},
			&cli.StringFlag{Name: "operations", Usage: "`LIST` of what to measure; all without it"},
			&cli.StringFlag{Name: "clients", Value: "1,16,64", Usage: "`LIST` of how many clients check at once, over HTTP"},
			&cli.Float64Flag{Name: "rate", Usage: "`N` arrivals per second of the operation rate; half of what the checks reached without it"},
			&cli.IntFlag{Name: "batch", Value: 1000, Usage: "`N` questions of a batch"},
			&cli.IntFlag{Name: "bulk", Value: 1000, Usage: "`N` tuples of a bulk write"},
			&cli.Float64Flag{Name: "writes", Value: 0.01, Usage: "`SHARE` of writes of the operation mixed, 0 to 1"},
			&cli.DurationFlag{Name: "duration", Value: 600 * time.Millisecond, Usage: "how long each run takes"},
			&cli.DurationFlag{Name: "warmup", Value: 200 * time.Millisecond, Usage: "how long before it nothing is counted"},
			&cli.IntFlag{Name: "runs", Value: 3, Usage: "`N` runs of each measurement, of which the medians are shown"},
		},
		Action: runBench,
	}
}

func benchDescription() string {
	var b strings.Builder
	b.WriteString("Without flags: loads a drive of 100,000 tuples into this process and into a server that it starts in a temporary folder,\n" +
		"and measures each operation, in about a minute.\n\n" +
		"pemba bench --tuples 1M --html report.html\n" +
		"pemba bench --dataset shapes --targets in-process\n" +
		"pemba bench --targets pemba --operations check,mixed --clients 64 --duration 10s\n" +
		"pemba bench --server http://127.0.0.1:8420 --openfga http://127.0.0.1:8080 --batch 50\n\nOperations:\n")
	for _, o := range bench.Operations {
		fmt.Fprintf(&b, "  %-10s %s\n", o.Name, o.Says)
	}
	b.WriteString("\nEvery answer is compared with one that was found out without the engine; the exit code is 1 where one was wrong, or a request\n" +
		"failed. Checks over HTTP are measured in turn with a server that answers with a constant: no server can be faster with this client.\n" +
		"The client shares the machine with what it measures. docs/benchmarks.md says what the figures mean.")
	return b.String()
}

func runBench(c *cli.Context) (err error) {
	if _, err := arguments(c); err != nil {
		return err
	}
	config, err := benchConfig(c)
	if err != nil {
		return err
	}
	dir := c.String("dir")
	if dir == "" {
		if dir, err = os.MkdirTemp("", "pemba-bench-*"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	s := &benchServers{c: c, dir: dir}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := s.targets(&config); err != nil {
		return err
	}
	progress := newProgress(c.App.ErrWriter)
	config.Progress = progress.show
	report, err := bench.Run(c.Context, config)
	progress.end()
	if err != nil {
		return err
	}
	report.Command = strings.Join(append([]string{"pemba"}, os.Args[1:]...), " ")
	return showBench(c, report)
}

// benchConfig reads the flags that are not about servers.
func benchConfig(c *cli.Context) (bench.Config, error) {
	fault := func(format string, args ...any) error {
		return &usageError{command: commandPath(c), message: fmt.Sprintf(format, args...)}
	}
	config := bench.Config{Load: !c.Bool("no-load"), Rate: c.Float64("rate"), Batch: c.Int("batch"), Bulk: c.Int("bulk"), Writes: c.Float64("writes"),
		Seed: c.Uint64("seed"), Duration: c.Duration("duration"), Warmup: c.Duration("warmup"), Runs: c.Int("runs")}
	if config.Writes < 0 || config.Writes > 1 {
		return config, fault("--writes %v is not between 0 and 1", config.Writes)
	}
	for _, name := range []string{"batch", "bulk", "runs"} {
		if c.Int(name) < 1 {
			return config, fault("--%s %d is less than 1", name, c.Int(name))
		}
	}
	if config.Duration <= 0 || config.Warmup < 0 || config.Rate < 0 {
		return config, fault("--duration, --warmup and --rate may not be negative")
	}
	for _, text := range listOf(c.String("clients")) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return config, fault("--clients: %q is no number of clients from 1 to 10000", text)
		}
		config.Clients = append(config.Clients, n)
	}
	var known []string
	for _, o := range bench.Operations {
		known = append(known, o.Name)
	}
	for _, name := range listOf(c.String("operations")) {
		if !slices.Contains(known, name) {
			return config, &usageError{command: commandPath(c), message: fmt.Sprintf("--operations: there is no operation %q", name),
				suggestion: source.DidYouMean(name, known)}
		}
		config.Operations = append(config.Operations, name)
	}
	size, err := parseSize(c.String("tuples"))
	if err != nil {
		return config, fault("--tuples: %v", err)
	}
	config.Dataset, err = benchDataset(c, size)
	return config, err
}

func benchDataset(c *cli.Context, size int) (dataset.Dataset, error) {
	switch name := c.String("dataset"); {
	case name == "drive":
		return dataset.NewDrive(size, c.Uint64("seed")), nil
	case name == "shapes":
		return dataset.NewShapes(size), nil
	case slices.Contains(dataset.Products(), name):
		return dataset.NewProduct(name, size, c.Uint64("seed"))
	default:
		return nil, &usageError{command: commandPath(c), message: fmt.Sprintf("--dataset: there is no dataset %q", name),
			suggestion: source.DidYouMean(name, append(dataset.Products(), "drive", "shapes"))}
	}
}

// parseSize reads 100000, 100k or 1M.
func parseSize(text string) (int, error) {
	digits, factor := text, 1
	switch {
	case strings.HasSuffix(text, "k"):
		digits, factor = strings.TrimSuffix(text, "k"), 1000
	case strings.HasSuffix(text, "M"):
		digits, factor = strings.TrimSuffix(text, "M"), 1_000_000
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 200_000_000/factor {
		return 0, fmt.Errorf("%q is no number of tuples up to 200M: 10k, 100000 and 1M are some", text)
	}
	return n * factor, nil
}

func listOf(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// targets makes what is measured, and starts what does not run yet.
func (s *benchServers) targets(config *bench.Config) error {
	c := s.c
	store := c.String("store")
	if store == "" {
		store = "bench-" + config.Dataset.Name()
	}
	trusted, err := trust(c)
	if err != nil {
		return err
	}
	add := func(p target.Protocol, address string, access target.Access) error {
		h, err := target.New(p, address, access)
		if err == nil {
			config.Targets = append(config.Targets, h)
		}
		return err
	}
	for _, name := range listOf(c.String("targets")) {
		switch name {
		case "in-process":
			t := inprocess.NewTarget(bench.InProcess, filepath.Join(s.dir, "in-process"))
			s.closers = append(s.closers, t.Close)
			config.Targets = append(config.Targets, t)
		case "pemba":
			address, access := c.String("server"), target.Access{TLS: trusted}
			if address == "" {
				access.TLS = nil
				var err error
				if address, err = s.start("serve", "--dir", filepath.Join(s.dir, "server"), "--http", "127.0.0.1:0", "--log-level", "error"); err != nil {
					return err
				}
			}
			if err := add(&target.Pemba{Store: store}, address, access); err != nil {
				return err
			}
		default:
			return &usageError{command: commandPath(c), message: fmt.Sprintf("--targets: there is no target %q", name),
				suggestion: source.DidYouMean(name, []string{"in-process", "pemba"})}
		}
	}
	if address := c.String("openfga"); address != "" {
		if err := add(&target.OpenFGA{}, address, target.Access{TLS: trusted}); err != nil {
			return err
		}
	}
	if address := c.String("spicedb"); address != "" {
		if err := add(&target.SpiceDB{}, address, target.Access{Token: os.Getenv("PEMBA_BENCH_SPICEDB_KEY"), TLS: trusted}); err != nil {
			return err
		}
	}
	if len(config.Targets) == 0 {
		return &usageError{command: commandPath(c), message: "--targets names nothing to measure", suggestion: "in-process and pemba are there"}
	}
	if config.Operations == nil || slices.Contains(config.Operations, bench.OpCheck) {
		config.Ceiling, err = s.start(ceilingCommandName)
		return err
	}
	return nil
}
