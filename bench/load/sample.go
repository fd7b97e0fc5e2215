package load

import (
	"cmp"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Sample is what one run, or the median of several, has measured. Latencies of a
// fixed rate count from the moment that the request arrived.
type Sample struct {
	Seconds        float64 `json:"seconds"`
	Requests       int     `json:"requests"` // answered, and answered right
	Failed         int     `json:"failed"`   // ended in an error
	Wrong          int     `json:"wrong"`    // answered wrong
	PerSecond      float64 `json:"per_second"`
	ItemsPerSecond float64 `json:"items_per_second"`

	P50  Latency `json:"p50_ns"`
	P90  Latency `json:"p90_ns"`
	P99  Latency `json:"p99_ns"`
	P999 Latency `json:"p999_ns"`
	Max  Latency `json:"max_ns"`

	// ClientCPU is the processor time of this process per request: what the load
	// generator costs, and in process what the answer costs.
	ClientCPU Latency `json:"client_cpu_ns"`

	// Collections is of what is answered in this process, where a pause of the
	// collector is part of the latency.
	Collections *Collections `json:"collections,omitempty"`

	// Curve has the latency at rising shares of the requests.
	Curve []Point `json:"curve,omitempty"`

	LastError string `json:"last_error,omitempty"`

	warmup    int
	histogram *hdrhistogram.Histogram
}

// Latency is a time in nanoseconds, also in JSON.
type Latency int64

// String returns it with three digits: 1.23ms.
func (l Latency) String() string {
	unit := time.Duration(1)
	for time.Duration(l)/unit >= 1000 {
		unit *= 10
	}
	return time.Duration(l).Round(unit).String()
}

// Point says that a share of the requests took at most so long.
type Point struct {
	Share   float64 `json:"share"`
	Latency Latency `json:"latency_ns"`
}

func sum(workers []*worker, op Operation, plan Plan, took time.Duration) Sample {
	s := Sample{Seconds: took.Seconds(), histogram: hdrhistogram.New(shortest, longest, digits)}
	for _, w := range workers {
		s.Requests += w.requests
		s.Failed += w.failed
		s.Wrong += w.wrong
		s.warmup += w.warmup
		s.LastError = cmp.Or(w.lastError, s.LastError)
		s.histogram.Merge(w.histogram)
	}
	if took > 0 {
		s.PerSecond = float64(s.Requests) / took.Seconds()
		s.ItemsPerSecond = s.PerSecond * float64(max(op.Items, 1))
	}
	s.latencies()
	return s
}

// shares are where the curve has points: ever closer to all.
var shares = []float64{0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 99.999, 100}

func (s *Sample) latencies() {
	at := func(share float64) Latency { return Latency(s.histogram.ValueAtQuantile(share)) }
	s.P50, s.P90, s.P99, s.P999, s.Max = at(50), at(90), at(99), at(99.9), at(100)
	s.Curve = nil
	if s.histogram.TotalCount() == 0 {
		return
	}
	for _, share := range shares {
		s.Curve = append(s.Curve, Point{share / 100, at(share)})
	}
}

// Median joins runs of one plan: the medians of throughput and latency, the sums
// of what was counted, and the curve over all requests.
func Median(runs []Sample) Sample {
	if len(runs) == 0 {
		return Sample{}
	}
	m := Sample{histogram: hdrhistogram.New(shortest, longest, digits)}
	for _, r := range runs {
		m.Requests += r.Requests
		m.Failed += r.Failed
		m.Wrong += r.Wrong
		m.LastError = cmp.Or(r.LastError, m.LastError)
		if r.histogram != nil {
			m.histogram.Merge(r.histogram)
		}
	}
	m.latencies()
	m.Seconds = median(runs, func(s Sample) float64 { return s.Seconds })
	m.PerSecond = median(runs, func(s Sample) float64 { return s.PerSecond })
	m.ItemsPerSecond = median(runs, func(s Sample) float64 { return s.ItemsPerSecond })
	m.P50 = median(runs, func(s Sample) Latency { return s.P50 })
	m.P90 = median(runs, func(s Sample) Latency { return s.P90 })
	m.P99 = median(runs, func(s Sample) Latency { return s.P99 })
	m.P999 = median(runs, func(s Sample) Latency { return s.P999 })
	m.Max = median(runs, func(s Sample) Latency { return s.Max })
	m.ClientCPU = median(runs, func(s Sample) Latency { return s.ClientCPU })
	m.Collections = collections(runs)
	return m
}

func median[T cmp.Ordered](runs []Sample, of func(Sample) T) T {
	list := make([]T, len(runs))
	for i, r := range runs {
		list[i] = of(r)
	}
	slices.Sort(list)
	return list[len(list)/2]
}
