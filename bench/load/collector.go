package load

import (
	"fmt"
	"math"
	"runtime/metrics"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Collections is what the garbage collector of this process did during a run, its
// warm-up included. Pauses stop everything; the runtime counts them in buckets a
// quarter apart, and what is said here are the buckets' upper ends.
type Collections struct {
	Cycles   int     `json:"cycles"`
	PauseP99 Latency `json:"pause_p99_ns"` // 0 where there was none
	PauseMax Latency `json:"pause_max_ns"`
	CPUShare float64 `json:"cpu_share"` // of the processor time that the process used

	pauses *hdrhistogram.Histogram
}

// String returns the cycles with the longest pause: 12 (≤ 84µs).
func (c *Collections) String() string {
	switch {
	case c == nil:
		return ""
	case c.Cycles == 0 && c.PauseMax == 0:
		return "none"
	}
	return fmt.Sprintf("%d (≤ %s)", c.Cycles, c.PauseMax)
}

// collector is what the runtime has counted since the process began.
type collector struct {
	cycles           uint64
	pauses           *metrics.Float64Histogram // seconds
	busy, collecting float64                   // processor seconds
}

func readCollector() collector {
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(samples)
	pauses := samples[1].Value.Float64Histogram()
	return collector{cycles: samples[0].Value.Uint64(),
		pauses:     &metrics.Float64Histogram{Counts: slices.Clone(pauses.Counts), Buckets: pauses.Buckets},
		busy:       samples[2].Value.Float64() - samples[3].Value.Float64(),
		collecting: samples[4].Value.Float64()}
}

// since says what has happened after an earlier reading.
func (c collector) since(before collector) *Collections {
	s := &Collections{Cycles: int(c.cycles - before.cycles), pauses: hdrhistogram.New(shortest, longest, digits)}
	for i, n := range c.pauses.Counts {
		if n -= before.pauses.Counts[i]; n > 0 {
			end := c.pauses.Buckets[i+1]
			if math.IsInf(end, 1) {
				end = c.pauses.Buckets[i]
			}
			s.pauses.RecordValues(min(max(int64(end*1e9), shortest), longest), int64(n))
		}
	}
	if busy := c.busy - before.busy; busy > 0 {
		s.CPUShare = (c.collecting - before.collecting) / busy
	}
	s.measure()
	return s
}

func (c *Collections) measure() {
	c.PauseP99, c.PauseMax = Latency(c.pauses.ValueAtQuantile(99)), Latency(c.pauses.ValueAtQuantile(100))
}

// collections joins those of several runs: the sums of what was counted, and the
// median share.
func collections(runs []Sample) *Collections {
	c := &Collections{pauses: hdrhistogram.New(shortest, longest, digits)}
	for _, r := range runs {
		if r.Collections == nil {
			return nil
		}
		c.Cycles += r.Collections.Cycles
		c.pauses.Merge(r.Collections.pauses)
	}
	c.CPUShare = median(runs, func(s Sample) float64 { return s.Collections.CPUShare })
	c.measure()
	return c
}
