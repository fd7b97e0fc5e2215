package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pemba-authz/pemba/bench/target"
	"github.com/urfave/cli/v2"
)

// ceilingCommandName is a command that bench runs, for a process of its own.
const ceilingCommandName = "bench-ceiling"

func ceilingCommand() *cli.Command {
	return &cli.Command{
		Name: ceilingCommandName, Hidden: true, Usage: "answer every request with the same bytes: what pemba bench compares a server with",
		Action: func(c *cli.Context) error {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			spareThread() // as what it is compared with
			fmt.Fprintf(c.App.Writer, "%shttp://%s\n", listensOn, listener.Addr())
			return target.ServeConstant(c.Context, listener)
		},
	}
}

// listensOn is how servers tell their URL on standard output.
const listensOn = "pemba listens on "

// benchServers are what bench has started: processes of their own, as in life.
type benchServers struct {
	c         *cli.Context
	dir       string
	processes []*exec.Cmd
	closers   []func() error
}

// start runs this very program with other arguments and returns the URL that it
// tells.
func (s *benchServers) start(args ...string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(s.c.Context, self)
	cmd.Args = append([]string{"pemba"}, args...)
	cmd.Stderr = s.c.App.ErrWriter
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting pemba %s: %w", args[0], err)
	}
	s.processes = append(s.processes, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), listensOn)
	if err != nil || !ok {
		return "", fmt.Errorf("pemba %s did not start: it told %q", args[0], line)
	}
	return url, nil
}

// stop ends everything in the opposite order.
func (s *benchServers) stop() error {
	var err error
	for _, close := range s.closers {
		err = errors.Join(err, close())
	}
	for _, p := range s.processes {
		p.Process.Signal(syscall.SIGTERM) // one that has ended needs none
		var exit *exec.ExitError
		if ended := p.Wait(); ended != nil && !errors.As(ended, &exit) {
			err = errors.Join(err, ended)
		}
	}
	return err
}
