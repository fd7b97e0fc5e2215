package bench_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/bench"
	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/inprocess"
	"github.com/pemba-authz/pemba/bench/target"
	"github.com/pemba-authz/pemba/pembatest"
)

func run(t *testing.T, config bench.Config) *bench.Report {
	t.Helper()
	report, err := bench.Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// A whole run measures every operation, finds no answer wrong, and its report is
// JSON and a page.
func TestRun(t *testing.T) {
	server := pembatest.Start(t)
	h, err := target.New(&target.Pemba{Store: "bench"}, server.Address, target.Access{})
	if err != nil {
		t.Fatal(err)
	}
	local := inprocess.NewTarget(bench.InProcess, t.TempDir())
	t.Cleanup(func() { local.Close() })
	steps := 0
	report := run(t, bench.Config{Dataset: dataset.NewDrive(2000, 1), Targets: []target.Target{local, h}, Ceiling: server.Address, Load: true,
		Clients: []int{2}, Batch: 20, Bulk: 20, Questions: 500, Warmup: time.Millisecond, Duration: 50 * time.Millisecond, Runs: 2,
		Progress: func(bench.Step) { steps++ }})
	if len(report.Loads) != 2 || report.Loads[0].Tuples != report.Loads[1].Tuples || report.Loads[0].Tuples < 1900 {
		t.Errorf("loads: %+v", report.Loads)
	}
	seen := map[string]int{}
	for _, m := range report.Measurements {
		seen[m.Kind]++
		if m.Target == "ceiling" || m.Kind == bench.OpRate && m.Requests == 0 { // which a slow machine may not come to
			continue
		}
		if m.Requests == 0 || m.Failed+m.Wrong > 0 || m.P50 <= 0 || m.P50 > m.P99 || m.P99 > m.Max {
			t.Errorf("%s, %s: %+v", m.Target, m.Operation, m.Sample)
		}
		if local := m.Target == bench.InProcess; local != (m.Collections != nil) {
			t.Errorf("%s, %s: collections %v", m.Target, m.Operation, m.Collections)
		}
	}
	for _, o := range bench.Operations {
		if seen[o.Name] == 0 {
			t.Errorf("%s was not measured", o.Name)
		}
	}
	if steps == 0 {
		t.Error("nothing was told of the progress")
	}
	text, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(text), `"p99_ns":`) {
		t.Errorf("%v: %s", err, text)
	}
	var page bytes.Buffer
	if err := report.HTML(&page); err != nil {
		t.Fatal(err)
	}
	svgs := 0
	for d := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(page.String(), "<!DOCTYPE html>"))); ; {
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			if e.Name.Local == "svg" {
				svgs++
			}
			for _, a := range e.Attr {
				if a.Name.Local == "src" || a.Name.Local == "href" {
					t.Errorf("the page needs %s", a.Value)
				}
			}
		}
	}
	if svgs < 3 || strings.Contains(page.String(), "NaN") || strings.Contains(page.String(), "Inf") {
		t.Errorf("%d plots in the page, or a number that is none", svgs)
	}
}

// Shapes are measured one by one, and what a dataset has no answers for is said.
func TestShapes(t *testing.T) {
	local := inprocess.NewTarget(bench.InProcess, t.TempDir())
	t.Cleanup(func() { local.Close() })
	d := dataset.NewShapes(1000)
	report := run(t, bench.Config{Dataset: d, Targets: []target.Target{local}, Load: true, Questions: 100, Batch: 10, Duration: 5 * time.Millisecond, Warmup: 1, Runs: 1})
	if len(report.Measurements) < len(d.Shapes()) || report.Wrong()+report.Failed() > 0 || len(report.Skipped) == 0 {
		t.Errorf("%d measurements of %d shapes, %d wrong, %d failed, skipped %v", len(report.Measurements), len(d.Shapes()), report.Wrong(), report.Failed(), report.Skipped)
	}
}

func TestRunRefuses(t *testing.T) {
	local := inprocess.NewTarget(bench.InProcess, t.TempDir())
	for name, config := range map[string]bench.Config{
		"nothing":      {},
		"no operation": {Dataset: dataset.NewDrive(1000, 1), Targets: []target.Target{local}, Operations: []string{"fly"}},
		"not loaded":   {Dataset: dataset.NewDrive(1000, 1), Targets: []target.Target{local}},
	} {
		if _, err := bench.Run(t.Context(), config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bench.Run(ctx, bench.Config{Dataset: dataset.NewDrive(1000, 1), Targets: []target.Target{local}, Load: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	local.Close()
}
