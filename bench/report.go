package bench

import (
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/bench/load"
)

// Report is what was measured. Times are in nanoseconds.
type Report struct {
	At           time.Time     `json:"at"`
	Machine      Machine       `json:"machine"`
	Dataset      string        `json:"dataset"`
	Command      string        `json:"command,omitempty"`
	Runs         int           `json:"runs"` // of each measurement; what is reported is their median
	Loads        []Loaded      `json:"loads,omitempty"`
	Measurements []Measurement `json:"measurements"`
	Skipped      []Skipped     `json:"skipped,omitempty"`
}

// Machine is where it was measured, client and servers alike.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"` // that this process may use
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// Loaded says how long a target took to take in the dataset.
type Loaded struct {
	Target    string  `json:"target"`
	Tuples    int     `json:"tuples"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// Measurement is one operation of one target.
type Measurement struct {
	Target    string  `json:"target"`
	Operation string  `json:"operation"`
	Kind      string  `json:"kind"`
	Clients   int     `json:"clients"`
	Rate      float64 `json:"rate,omitzero"` // of arrivals; 0: a closed loop
	Items     int     `json:"items"`         // asked or written by one request

	load.Sample

	// Share is the throughput as a share of what Of names: of the constant answer
	// for checks, of the checks alone for those with writes or a neighbour.
	Share float64 `json:"share,omitzero"`
	Of    string  `json:"of,omitempty"`
}

// Skipped is an operation that was not measured.
type Skipped struct {
	Target    string `json:"target"`
	Operation string `json:"operation"`
	Why       string `json:"why"`
}

// Wrong is how many answers were wrong: none, or nothing else in the report
// counts.
func (r *Report) Wrong() int {
	n := 0
	for _, m := range r.Measurements {
		n += m.Wrong
	}
	return n
}

// Failed is how many requests ended in an error.
func (r *Report) Failed() int {
	n := 0
	for _, m := range r.Measurements {
		n += m.Failed
	}
	return n
}

// compare fills in the shares, from what was measured in turn.
func (r *Report) compare() {
	references := map[string]struct{ kind, says string }{
		OpCheck:     {kindCeiling, "the constant answer"},
		OpMixed:     {kindPure, "the checks without writes"},
		OpNeighbour: {kindAlone, "the checks without the neighbour"},
	}
	for i := range r.Measurements {
		m := &r.Measurements[i]
		reference, ok := references[m.Kind]
		if !ok {
			continue
		}
		for j := max(0, i-1); j <= min(i+1, len(r.Measurements)-1); j++ {
			if o := r.Measurements[j]; o.Kind == reference.kind && o.Clients == m.Clients && o.PerSecond > 0 {
				m.Share, m.Of = m.PerSecond/o.PerSecond, reference.says
			}
		}
	}
}

func machine() Machine {
	m := Machine{Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere the name stays empty
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}
