// Command torture runs three `pemba serve` processes under load, breaks them and
// the network between them again and again, and compares every answer with what
// was acknowledged. It ends with figures, and with status 1 where anything was
// lost, stale or wrong.
//
//	go run ./torture --duration 10m --seed 7
//
// As root it puts every process into a network namespace and on a file system of
// its own, so that links can be cut and a loss of power loses what was not synced;
// otherwise, and with --loopback, the processes share the machine, and are killed,
// paused and restarted. docs/testing.md says what is injected and what is checked.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"time"
)

// Config says what a run does.
type Config struct {
	Dir       string        // of everything; "" is a temporary folder that a run without faults found removes
	Pemba     string        // the binary; "" builds it
	Duration  time.Duration // of the faults
	Seed      uint64        // of the faults and the load
	Clients   int
	Nodes     int           // 0 is 3
	Loopback  bool          // no namespaces even as root
	Port      int           // the first port on loopback; six are used
	Faults    []string      // by name; empty: all that the machine allows
	Import    bool          // an import runs all the time
	Rest      bool          // each fault waits until all members serve again, as in a rolling restart
	TraceGaps time.Duration // the report tells the story of gaps of writes that are as long; 0 tells none
	Verbose   func(format string, args ...any)
}

func main() {
	var c Config
	faults := flag.String("faults", "", "comma-separated names of the `FAULTS` to choose from; all without it")
	flag.StringVar(&c.Dir, "dir", "", "`FOLDER` of everything; a temporary one without it")
	flag.StringVar(&c.Pemba, "pemba", "", "the `BINARY` to run; built from this folder's sources without it")
	flag.DurationVar(&c.Duration, "duration", time.Minute, "how long faults are injected")
	flag.Uint64Var(&c.Seed, "seed", rand.Uint64(), "of the faults and the load")
	flag.IntVar(&c.Nodes, "nodes", 3, "how many nodes")
	flag.IntVar(&c.Clients, "clients", 12, "how many clients write and ask at once")
	flag.BoolVar(&c.Loopback, "loopback", os.Getuid() != 0, "use loopback addresses instead of network namespaces")
	flag.IntVar(&c.Port, "port", 18800, "the first of six ports on loopback")
	flag.BoolVar(&c.Import, "import", false, "let an import run all the time")
	flag.BoolVar(&c.Rest, "rest", false, "wait before each fault until all members serve again")
	flag.DurationVar(&c.TraceGaps, "trace-gaps", 0, "report what the nodes logged during gaps of writes that are as long as this; 0 is none")
	measure := flag.String("measure", "", "measure instead of injecting faults: `NAMES` of writes, restart, catchup")
	tuples := flag.Int("tuples", 1_000_000, "with --measure: how many tuples to load")
	quiet := flag.Bool("quiet", false, "print the figures alone")
	flag.Parse()
	if *faults != "" {
		c.Faults = strings.Split(*faults, ",")
	}
	c.Verbose = func(format string, args ...any) {
		if !*quiet {
			fmt.Printf(format+"\n", args...)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	work := func() (string, error) { return Run(ctx, c) }
	if *measure != "" {
		work = func() (string, error) { return Measure(ctx, c, *measure, *tuples) }
	}
	report, err := work()
	fmt.Print(report)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}
