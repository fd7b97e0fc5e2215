package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/pemba-authz/pemba/bench"
	"github.com/urfave/cli/v2"
)

// showBench prints the report, writes the page, and says by the exit code whether
// everything was answered, and right.
func showBench(c *cli.Context, report *bench.Report) error {
	if name := c.String("html"); name != "" {
		if err := writePage(name, report); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	var err error
	if c.Bool("json") {
		err = printJSON(c.App.Writer, report)
	} else {
		err = printBench(c, report)
	}
	if err == nil && report.Wrong()+report.Failed() > 0 {
		return errQuiet(exitNo)
	}
	return err
}

func writePage(name string, report *bench.Report) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := report.HTML(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func printBench(c *cli.Context, report *bench.Report) error {
	w := c.App.Writer
	fmt.Fprintf(w, "%s on %s, %d cores, %s: medians of %s\n", report.Dataset, report.Machine.CPU, report.Machine.Cores, report.Machine.Go, plural(report.Runs, "run"))
	for _, l := range report.Loads {
		fmt.Fprintf(w, "%s: %s loaded in %.1f s, %.0f a second\n", l.Target, plural(l.Tuples, "tuple"), l.Seconds, l.PerSecond)
	}
	fmt.Fprintln(w)
	t := newTable(w, "target", "operation", "clients", "requests/s", "items/s", "p50", "p99", "p99.9", "failed", "wrong", "collections", "compared")
	for _, m := range report.Measurements {
		items, compared := "", ""
		if m.Items > 1 {
			items = fmt.Sprintf("%.0f", m.ItemsPerSecond)
		}
		if m.Share > 0 {
			compared = fmt.Sprintf("%.0f%% of %s", 100*m.Share, m.Of)
		}
		t.row(m.Target, m.Operation, fmt.Sprint(m.Clients), fmt.Sprintf("%.0f", m.PerSecond), items, m.P50.String(), m.P99.String(), m.P999.String(),
			fmt.Sprint(m.Failed), fmt.Sprint(m.Wrong), m.Collections.String(), compared)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, s := range report.Skipped {
		fmt.Fprintf(w, "\nnot measured: %s of %s: %s", s.Operation, s.Target, s.Why)
	}
	if len(report.Skipped) > 0 {
		fmt.Fprintln(w)
	}
	for _, m := range report.Measurements {
		if m.LastError != "" {
			fmt.Fprintf(c.App.ErrWriter, "%s, %s: %s\n", m.Target, m.Operation, m.LastError)
		}
	}
	return nil
}

// progress shows steps: a bar that moves on a terminal, else a line for each.
type progress struct {
	w        io.Writer
	terminal bool
	begun    time.Time
	what     string
	drawn    time.Time
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && isatty.IsTerminal(f.Fd()), begun: time.Now()}
}

func (p *progress) show(s bench.Step) {
	isNew := s.What != p.what
	p.what = s.What
	if !p.terminal {
		if isNew {
			fmt.Fprintf(p.w, "%5.1f s  %s\n", time.Since(p.begun).Seconds(), s.What)
		}
		return
	}
	if !isNew && time.Since(p.drawn) < 50*time.Millisecond && s.Done < s.Total {
		return
	}
	p.drawn = time.Now()
	const width = 30
	bar := ""
	if s.Total > 0 {
		full := min(width, width*s.Done/s.Total)
		bar = fmt.Sprintf("[%s%s] %d of %d  ", strings.Repeat("█", full), strings.Repeat("░", width-full), s.Done, s.Total)
	}
	fmt.Fprintf(p.w, "\r\x1b[K%5.1f s  %s%s", time.Since(p.begun).Seconds(), bar, s.What)
}

// end clears the bar away.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
