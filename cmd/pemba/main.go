// Command pemba is Pemba's server and its command line. Every group of commands
// has a file of its own; what they do is in the packages that they call.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

// run is main with an exit code, so that tests run the same program.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}
