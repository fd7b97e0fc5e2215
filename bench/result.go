package bench

import (
	"slices"
	"time"
)

// Result says how a run went.
type Result struct {
	Seconds float64 `json:"seconds"`
	Checks  Summary `json:"checks"`
	Writes  Summary `json:"writes"`
}

// Summary is one kind of request. Latencies are as the client saw them, HTTP and
// JSON included.
type Summary struct {
	Count     int     `json:"count"`  // requests answered
	Failed    int     `json:"failed"` // requests that ended in an error
	Wrong     int     `json:"wrong"`  // answers that the dataset contradicts
	PerSecond float64 `json:"per_second"`
	P50       Latency `json:"p50_ns"`
	P90       Latency `json:"p90_ns"`
	P99       Latency `json:"p99_ns"`
	Max       Latency `json:"max_ns"`
	LastError string  `json:"last_error,omitempty"`
}

// Latency is a time in nanoseconds, also in JSON.
type Latency int64

// String returns it as people read it, in microseconds and above.
func (l Latency) String() string { return time.Duration(l).Round(time.Microsecond).String() }

// samples is what one worker saw of one kind of request.
type samples struct {
	took      []time.Duration
	failed    int
	wrong     int
	lastError string
}

func (s *samples) add(took time.Duration, err error) {
	if err != nil {
		s.failed++
		s.lastError = err.Error()
		return
	}
	s.took = append(s.took, took)
}

func collect(workers []*worker, elapsed time.Duration) Result {
	var checks, writes samples
	for _, w := range workers {
		checks.join(w.checks)
		writes.join(w.writes)
	}
	return Result{Seconds: elapsed.Seconds(), Checks: checks.summary(elapsed), Writes: writes.summary(elapsed)}
}

func (s *samples) join(other samples) {
	s.took = append(s.took, other.took...)
	s.failed += other.failed
	s.wrong += other.wrong
	s.lastError = or(other.lastError, s.lastError)
}

func (s *samples) summary(elapsed time.Duration) Summary {
	slices.Sort(s.took)
	at := func(share float64) Latency {
		if len(s.took) == 0 {
			return 0
		}
		return Latency(s.took[int(share*float64(len(s.took)-1))])
	}
	return Summary{
		Count: len(s.took), Failed: s.failed, Wrong: s.wrong, LastError: s.lastError,
		PerSecond: float64(len(s.took)) / elapsed.Seconds(),
		P50:       at(0.50), P90: at(0.90), P99: at(0.99), Max: at(1),
	}
}
